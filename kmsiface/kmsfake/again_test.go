package kmsfake

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// To make an RSA key takes seconds: nobody else may wait for that.
func TestAKeyPairIsMadeWithoutTheLock(t *testing.T) {
	srv := New(func(o *Options) { o.Quotas = map[string]float64{} })
	arn := srv.MustAddKey(Key{Account: "111122223333", Region: "us-east-1", Spec: types.KeySpecRsa2048})
	c := srv.Client("111122223333", "us-east-1")
	m := srv.find(arn).materials.current()
	making, goOn := make(chan struct{}), make(chan struct{})
	go m.once.Do(func() { // in the place of (*key).pair
		close(making)
		<-goOn
		m.pair = newKeyPair(types.KeySpecRsa2048, nil)
	})
	<-making
	public, described := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &arn})
		public <- err
	}()
	time.Sleep(50 * time.Millisecond) // it has got to where it waits
	go func() {
		_, err := c.UpdateKeyDescription(t.Context(), &kms.UpdateKeyDescriptionInput{KeyId: &arn, Description: aws.String("d")})
		described <- err
	}()
	select {
	case err := <-described:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the server stands still while a key pair is made")
	}
	m.made.Store(true)
	close(goOn)
	if err := <-public; err != nil {
		t.Error(err)
	}
}

func TestADataKeyPairIsMadeWithoutTheLock(t *testing.T) {
	srv := New()
	arn := srv.MustAddKey(Key{Account: "111122223333", Region: "us-east-1"})
	c := &call{srv: srv, op: operations["GenerateDataKeyPair"], caller: principal{account: "111122223333"}, account: "111122223333", region: "us-east-1"}
	in := &kms.GenerateDataKeyPairInput{KeyId: &arn, KeyPairSpec: types.DataKeyPairSpecRsa2048}
	if _, err := c.locked(in); !errors.As(err, &again{}) {
		t.Errorf("under the lock: %v", err)
	}
	if a := c.do(in); a.code != "" || c.rsa == nil {
		t.Errorf("answer %+v", a)
	}
}

func TestUsesAtOneTimeAreKeptAsOne(t *testing.T) {
	var l useLog
	at := time.Date(2026, time.August, 1, 0, 0, 0, 0, time.UTC)
	for _, op := range []string{"Encrypt", "Decrypt", "Sign"} {
		l.add(use{operation: op, at: at}, at.Add(-time.Hour))
	}
	if u, ok := l.last(at); len(l.uses) != 1 || !ok || u.operation != "Sign" {
		t.Errorf("%+v", l.uses)
	}
}
