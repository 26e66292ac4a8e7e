package kmsfake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// Client returns a real SDK client of the administrator of the account in the
// Region whose requests go to the server without a connection: no socket is
// opened and no goroutine started, so that it works in a testing/synctest
// bubble. All else is the SDK's own: signing, retries, timeouts. It panics
// unless account has twelve digits.
func (s *Server) Client(account, region string, optFns ...func(*kms.Options)) *kms.Client {
	return kms.New(kms.Options{
		Region:      region,
		Credentials: Credentials(account),
		HTTPClient:  inProcess{s},
	}, optFns...)
}

// CloudTrail returns a real SDK client of CloudTrail, as [Server.Client] does of
// KMS.
func (s *Server) CloudTrail(account, region string, optFns ...func(*trail.Options)) *trail.Client {
	return trail.New(trail.Options{
		Region:      region,
		Credentials: Credentials(account),
		HTTPClient:  inProcess{s},
	}, optFns...)
}

// HTTPClient returns what the clients of [Server.Client] and [Server.CloudTrail]
// send their requests by, for SDK clients made otherwise.
func (s *Server) HTTPClient() kms.HTTPClient { return inProcess{s} }

// inProcess carries a request to the server by a function call.
type inProcess struct{ srv *Server }

// Do answers the request. Where a server behind a connection would drop it, the
// error is that of a connection reset by its peer.
func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("kmsfake: cannot read the request: %w", err)
		}
		if err := r.Body.Close(); err != nil {
			return nil, fmt.Errorf("kmsfake: cannot close the request: %w", err)
		}
	}
	a, err := p.srv.serve(ctx, r.Method, r.Header, body)
	if err != nil {
		return nil, err
	}
	if a.cut {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("X-Amzn-Requestid", a.requestID)
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

// Start serves on a free port of the loopback interface until stop is called,
// and returns the address to use as BaseEndpoint of clients of both services. stop cuts the
// connections and waits for the listener's goroutine to end; it may be called
// more than once.
func (s *Server) Start() (url string, stop func(), err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("kmsfake: cannot listen: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("kmsfake: cannot serve: %v", err)) // nothing but Close ends it
		}
	}()
	return "http://" + l.Addr().String(), func() {
		_ = srv.Close() // only reports what it could not close twice
		<-done
	}, nil
}
