package usage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// The answers of these tables come over the wire and through the SDK's decoder:
// what a missing member looks like to the library is not for a test to guess.

// inspectRewritten inspects one key, retirable as it is, whose answers of one
// operation are edited, and judges it.
func inspectRewritten(t *testing.T, op string, edit func(map[string]any)) (usage.Finding, usage.Assessment, *kmsfake.Server) {
	t.Helper()
	srv := kmsfake.New()
	if arns := fill(t, srv, home, ohio, 1, func(_ int, k *kmsfake.Key) { k.ID = oneID }); arns[0] != oneARN {
		t.Fatalf("the key is %s, want %s", arns[0], oneARN)
	}
	srv.Inject(faultAt(op, rewrite(edit)))
	f := mustInspectOne(t, srv.Client(home, ohio))
	return f, usage.Assess([]usage.Finding{f}, usage.Policy{})[0], srv
}

func TestAnswersAreWholeUnlessRewritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		f, a, _ := inspectRewritten(t, "GetKeyLastUsage", func(map[string]any) {})
		wantGaps(t, f, nil)
		if !a.Retirable() {
			t.Errorf("holds = %v; the tables of this file need a key that could be retired", a.Holds)
		}
	})
}

// seconds is a time as AWS JSON 1.1 writes it.
func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// "If the key has not been used since tracking began, this response element is an
// empty object": empty, not absent; and its members are each "Absent if the key
// has not been used since KMS began tracking".
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
func TestALastUsageAnswerIsTakenWholeOrNotAtAll(t *testing.T) {
	use := func(edit func(map[string]any)) func(map[string]any) {
		return func(body map[string]any) { edit(object(body["KeyLastUsage"])) }
	}
	for name, edit := range map[string]func(map[string]any){
		"nothing in it": func(b map[string]any) { clear(b) },
		"no KeyCreationDate": func(b map[string]any) {
			delete(b, "KeyCreationDate")
		},
		"no TrackingStartDate":     func(b map[string]any) { delete(b, "TrackingStartDate") },
		"no KeyLastUsage":          func(b map[string]any) { delete(b, "KeyLastUsage") },
		"a KeyLastUsage of null":   func(b map[string]any) { b["KeyLastUsage"] = nil },
		"a KeyCreationDate null":   func(b map[string]any) { b["KeyCreationDate"] = nil },
		"a TrackingStartDate null": func(b map[string]any) { b["TrackingStartDate"] = nil },
		"a use without Timestamp":  use(func(u map[string]any) { delete(u, "Timestamp") }),
		"an operation and nothing else": use(func(u map[string]any) {
			clear(u)
			u["Operation"] = "Decrypt"
		}),
		"an event and nothing else": use(func(u map[string]any) {
			clear(u)
			u["CloudTrailEventId"] = "2cfd5d2b-8d3e-4d5b-9f0a-000000000000"
		}),
		"a request and nothing else": use(func(u map[string]any) {
			clear(u)
			u["KmsRequestId"] = "2cfd5d2b-8d3e-4d5b-9f0a-000000000000"
		}),
		"another key": func(b map[string]any) {
			b["KeyId"] = "arn:aws:kms:us-east-2:111122223333:key/deadbeef-12ab-34cd-56ef-1234567890ab"
		},
		"another key by its ID":              func(b map[string]any) { b["KeyId"] = "deadbeef-12ab-34cd-56ef-1234567890ab" },
		"something that is no key":           func(b map[string]any) { b["KeyId"] = "alias/orders" },
		"the same key ID in another Region":  func(b map[string]any) { b["KeyId"] = "arn:aws:kms:eu-west-1:111122223333:key/" + oneID },
		"the same key ID in another account": func(b map[string]any) { b["KeyId"] = "arn:aws:kms:us-east-2:999988887777:key/" + oneID },
		"a Timestamp that is a word":         use(func(u map[string]any) { u["Timestamp"] = "yesterday" }),
		"a KeyLastUsage that is a list": func(b map[string]any) {
			b["KeyLastUsage"] = []any{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "GetKeyLastUsage", edit)
				wantGaps(t, f, map[string]usage.GapReason{"GetKeyLastUsage": usage.Malformed})
				if f.LastUsage != nil {
					t.Errorf("LastUsage = %+v, want none", f.LastUsage)
				}
				if g, _ := f.Gap("GetKeyLastUsage"); !errors.Is(g.Err, usage.ErrMalformed) {
					t.Errorf("gap error = %v, want ErrMalformed", g.Err)
				}
				if a.Verdict.Class != usage.Unknown || a.Retirable() {
					t.Errorf("class = %v, retirable %v", a.Verdict.Class, a.Retirable())
				}
			})
		})
	}
}

func TestALastUsageAnswerMayLackWhatDecidesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func(map[string]any)
		check func(usage.LastUsage) bool
		class usage.Class
	}{
		"no record: KeyLastUsage is an empty object": {
			func(b map[string]any) { b["KeyLastUsage"] = map[string]any{} },
			func(u usage.LastUsage) bool { return u.Use == nil }, usage.Unrecorded,
		},
		"no Operation": {
			func(b map[string]any) { delete(object(b["KeyLastUsage"]), "Operation") },
			func(u usage.LastUsage) bool { return u.Use.Operation == "" && u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"no CloudTrailEventId": {
			func(b map[string]any) { delete(object(b["KeyLastUsage"]), "CloudTrailEventId") },
			func(u usage.LastUsage) bool { return u.Use.EventID == "" && u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"no KmsRequestId": {
			func(b map[string]any) { delete(object(b["KeyLastUsage"]), "KmsRequestId") },
			func(u usage.LastUsage) bool { return u.Use.RequestID == "" && u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"no KeyId, since the question named the key": {
			func(b map[string]any) { delete(b, "KeyId") },
			func(u usage.LastUsage) bool { return u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"the key's ID": {
			func(b map[string]any) { b["KeyId"] = oneID },
			func(u usage.LastUsage) bool { return u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"the key's ARN": {
			func(b map[string]any) { b["KeyId"] = oneARN },
			func(u usage.LastUsage) bool { return u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"an operation the SDK does not know": {
			func(b map[string]any) { object(b["KeyLastUsage"])["Operation"] = "DecryptQuantumly" },
			func(u usage.LastUsage) bool { return u.Use.Operation == "DecryptQuantumly" && u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
		"members that nobody knows yet": {
			func(b map[string]any) { b["KeyUsageForecast"] = map[string]any{"Days": 3} },
			func(u usage.LastUsage) bool { return u.Use.At.Equal(ago(200)) }, usage.Idle,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "GetKeyLastUsage", tt.edit)
				wantGaps(t, f, nil)
				if f.LastUsage == nil || !tt.check(*f.LastUsage) {
					t.Errorf("LastUsage = %+v", f.LastUsage)
				}
				if a.Verdict.Class != tt.class {
					t.Errorf("class = %v, want %v", a.Verdict.Class, tt.class)
				}
			})
		})
	}
}

// Reading keeps the facts as they came; judging them is Classify's business.
func TestTimesThatCannotBeAreKeptAndJudgedUnknown(t *testing.T) {
	usedAt := func(at time.Time) func(map[string]any) {
		return func(b map[string]any) { object(b["KeyLastUsage"])["Timestamp"] = seconds(at) }
	}
	for name, tt := range map[string]struct {
		edit func(map[string]any)
		kept func(usage.LastUsage) time.Time
		want time.Time
	}{
		"a use in the future":       {usedAt(today.Add(wholeDay)), func(u usage.LastUsage) time.Time { return u.Use.At }, today.Add(wholeDay)},
		"a use before the creation": {usedAt(longAgo.Add(-wholeDay)), func(u usage.LastUsage) time.Time { return u.Use.At }, longAgo.Add(-wholeDay)},
		"a use before tracking":     {usedAt(trackedFrom.Add(-wholeDay)), func(u usage.LastUsage) time.Time { return u.Use.At }, trackedFrom.Add(-wholeDay)},
		"a use at second zero":      {usedAt(time.Unix(0, 0)), func(u usage.LastUsage) time.Time { return u.Use.At }, time.Unix(0, 0)},
		"a creation in the future": {
			func(b map[string]any) { b["KeyCreationDate"] = seconds(today.Add(wholeDay)) },
			func(u usage.LastUsage) time.Time { return u.Created }, today.Add(wholeDay),
		},
		"tracking that begins in the future": {
			func(b map[string]any) { b["TrackingStartDate"] = seconds(today.Add(wholeDay)) },
			func(u usage.LastUsage) time.Time { return u.TrackingStart }, today.Add(wholeDay),
		},
		"a creation that DescribeKey does not bear out": {
			func(b map[string]any) { b["KeyCreationDate"] = seconds(longAgo.Add(wholeDay)) },
			func(u usage.LastUsage) time.Time { return u.Created }, longAgo.Add(wholeDay),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "GetKeyLastUsage", tt.edit)
				wantGaps(t, f, nil)
				if f.LastUsage == nil || !tt.kept(*f.LastUsage).Equal(tt.want) {
					t.Errorf("LastUsage = %+v, want it to say %v", f.LastUsage, tt.want)
				}
				if a.Verdict.Class != usage.Unknown || a.Retirable() {
					t.Errorf("class = %v, retirable %v", a.Verdict.Class, a.Retirable())
				}
			})
		})
	}
}

func TestMetadataIsTakenWholeOrNotAtAll(t *testing.T) {
	for name, edit := range map[string]func(map[string]any){
		"no KeyMetadata":          func(b map[string]any) { clear(b) },
		"a KeyMetadata of null":   func(b map[string]any) { b["KeyMetadata"] = nil },
		"an empty KeyMetadata":    func(b map[string]any) { b["KeyMetadata"] = map[string]any{} },
		"no CreationDate":         inMetadata(func(m map[string]any) { delete(m, "CreationDate") }),
		"a CreationDate of null":  inMetadata(func(m map[string]any) { m["CreationDate"] = nil }),
		"a CreationDate in words": inMetadata(func(m map[string]any) { m["CreationDate"] = "long ago" }),
		"no KeyState":             inMetadata(func(m map[string]any) { delete(m, "KeyState") }),
		"an empty KeyState":       inMetadata(func(m map[string]any) { m["KeyState"] = "" }),
		"no KeyManager":           inMetadata(func(m map[string]any) { delete(m, "KeyManager") }),
		// What the kind of key decides: which readings apply, what an idle key may
		// still have under it.
		"no KeySpec":  inMetadata(func(m map[string]any) { delete(m, "KeySpec") }),
		"no KeyUsage": inMetadata(func(m map[string]any) { delete(m, "KeyUsage") }),
		"no Origin":   inMetadata(func(m map[string]any) { delete(m, "Origin") }),
		"another key's ARN": inMetadata(func(m map[string]any) {
			m["Arn"] = "arn:aws:kms:us-east-2:111122223333:key/deadbeef-12ab-34cd-56ef-1234567890ab"
		}),
		"another key's ID and no ARN": inMetadata(func(m map[string]any) {
			delete(m, "Arn")
			m["KeyId"] = "deadbeef-12ab-34cd-56ef-1234567890ab"
		}),
		"the same key in another Region":           inMetadata(func(m map[string]any) { m["Arn"] = kmsfake.InRegion(oneARN, "eu-west-1") }),
		"a multi-Region key without configuration": inMetadata(func(m map[string]any) { m["MultiRegion"] = true }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "DescribeKey", edit)
				wantGaps(t, f, map[string]usage.GapReason{"DescribeKey": usage.Malformed})
				if f.Metadata != nil {
					t.Errorf("Metadata = %+v, want none", f.Metadata)
				}
				if f.LastUsage == nil || f.Grants == nil || f.Policy == "" || f.Tags == nil || f.Rotations == nil {
					t.Error("the other readings must be made all the same")
				}
				if a.Retirable() {
					t.Error("it is retirable")
				}
			})
		})
	}
}

func inMetadata(edit func(map[string]any)) func(map[string]any) {
	return func(body map[string]any) { edit(object(body["KeyMetadata"])) }
}

func TestMetadataMayLackWhatDecidesNothing(t *testing.T) {
	for _, member := range []string{
		"AWSAccountId", "KeyId", "Arn", "Enabled", "Description", "CustomerMasterKeySpec", "EncryptionAlgorithms", "MultiRegion", "CurrentKeyMaterialId",
	} {
		t.Run(member, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "DescribeKey", inMetadata(func(m map[string]any) {
					if _, ok := m[member]; !ok {
						t.Errorf("the fake's answer has no %s to take away", member)
					}
					delete(m, member)
				}))
				wantGaps(t, f, nil)
				if f.Metadata == nil || !a.Retirable() {
					t.Errorf("metadata %+v, holds %v", f.Metadata, a.Holds)
				}
			})
		})
	}
}

func TestValuesThatTheSDKDoesNotKnowAreKept(t *testing.T) {
	for name, tt := range map[string]struct {
		member    string
		got       func(usage.Metadata) string
		retirable bool
	}{
		"an unknown key state holds the key":         {"KeyState", func(m usage.Metadata) string { return string(m.State) }, false},
		"an unknown manager may be one like AWS":     {"KeyManager", func(m usage.Metadata) string { return string(m.Manager) }, false},
		"an unknown key spec may have a public half": {"KeySpec", func(m usage.Metadata) string { return string(m.Spec) }, false},
		"an unknown key usage":                       {"KeyUsage", func(m usage.Metadata) string { return string(m.Usage) }, true},
		"an unknown origin":                          {"Origin", func(m usage.Metadata) string { return string(m.Origin) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "DescribeKey", inMetadata(func(m map[string]any) { m[tt.member] = "NOVEL" }))
				wantGaps(t, f, nil)
				if f.Metadata == nil || tt.got(*f.Metadata) != "NOVEL" {
					t.Fatalf("metadata = %+v, want %s NOVEL", f.Metadata, tt.member)
				}
				if f.LastUsage == nil {
					t.Error("the last use was not read")
				}
				if a.Retirable() != tt.retirable {
					t.Errorf("retirable = %v, holds %v", a.Retirable(), a.Holds)
				}
			})
		})
	}
}

// A replica whose primary is enabled can be retired, and comes back from it:
// whatever is missing of the set must take that away.
func TestASetThatIsNotToldWholeHoldsItsMembers(t *testing.T) {
	inConfig := func(edit func(map[string]any)) func(map[string]any) {
		return inMetadata(func(m map[string]any) { edit(object(m["MultiRegionConfiguration"])) })
	}
	for name, tt := range map[string]struct {
		edit      func(map[string]any)
		retirable bool
	}{
		"all of it": {func(map[string]any) {}, true},
		"without the flag, which the configuration makes up for": {inMetadata(func(m map[string]any) { delete(m, "MultiRegion") }), true},
		"no configuration":         {inMetadata(func(m map[string]any) { delete(m, "MultiRegionConfiguration") }), false},
		"neither":                  {inMetadata(func(m map[string]any) { delete(m, "MultiRegionConfiguration"); delete(m, "MultiRegion") }), false},
		"an empty configuration":   {inConfig(func(c map[string]any) { clear(c) }), false},
		"no role":                  {inConfig(func(c map[string]any) { delete(c, "MultiRegionKeyType") }), false},
		"the wrong role":           {inConfig(func(c map[string]any) { c["MultiRegionKeyType"] = "PRIMARY" }), false},
		"no primary":               {inConfig(func(c map[string]any) { delete(c, "PrimaryKey") }), false},
		"a primary without an ARN": {inConfig(func(c map[string]any) { delete(object(c["PrimaryKey"]), "Arn") }), false},
		"no replicas":              {inConfig(func(c map[string]any) { delete(c, "ReplicaKeys") }), false},
		"a replica without an ARN": {inConfig(func(c map[string]any) { delete(object(array(c["ReplicaKeys"])[0]), "Arn") }), false},
		"a replica nobody else knows": {inConfig(func(c map[string]any) {
			c["ReplicaKeys"] = append(array(c["ReplicaKeys"]), map[string]any{"Arn": kmsfake.InRegion(fmt.Sprint(object(c["PrimaryKey"])["Arn"]), "ap-south-1"), "Region": "ap-south-1"})
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				primary := fill(t, srv, home, ohio, 1, func(_ int, k *kmsfake.Key) { k.MultiRegion = true })[0]
				replica := fill(t, srv, home, "eu-west-1", 1, func(_ int, k *kmsfake.Key) { k.ReplicaOf = primary })[0]
				srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
					if c.Operation == "DescribeKey" && c.KeyARN == replica {
						return rewrite(tt.edit)
					}
					return nil
				})
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), []usage.Target{
					{Account: home, Region: ohio, Client: srv.Client(home, ohio)},
					{Account: home, Region: "eu-west-1", Client: srv.Client(home, "eu-west-1")},
				}))
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range usage.Assess(fs, usage.Policy{}) {
					if a.Finding.ARN == replica && a.Retirable() != tt.retirable {
						t.Errorf("the replica is retirable: %v, want %v; %+v, holds %v", a.Retirable(), tt.retirable, a.Finding.Metadata, a.Holds)
					}
				}
			})
		})
	}
}

func TestReplicasComeInOrderWhateverTheAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		primary := srv.MustAddKey(kmsfake.Key{Account: home, Region: ohio, Created: longAgo, MultiRegion: true, ReplicaRegions: []string{"ap-south-1", "eu-west-1", "us-west-2"}})
		srv.Inject(faultAt("DescribeKey", rewrite(inMetadata(func(m map[string]any) {
			slices.Reverse(array(object(m["MultiRegionConfiguration"])["ReplicaKeys"]))
		}))))
		want := []string{kmsfake.InRegion(primary, "ap-south-1"), kmsfake.InRegion(primary, "eu-west-1"), kmsfake.InRegion(primary, "us-west-2")}
		if f := mustInspectOne(t, srv.Client(home, ohio)); !slices.Equal(f.Metadata.MultiRegion.Replicas, want) {
			t.Errorf("replicas = %v, want %v", f.Metadata.MultiRegion.Replicas, want)
		}
	})
}

func TestAPolicyThatIsNotThereIsAGap(t *testing.T) {
	for name, edit := range map[string]func(map[string]any){
		"no Policy":         func(b map[string]any) { delete(b, "Policy") },
		"an empty Policy":   func(b map[string]any) { b["Policy"] = "" },
		"nothing in it":     func(b map[string]any) { clear(b) },
		"a Policy of null":  func(b map[string]any) { b["Policy"] = nil },
		"a Policy not text": func(b map[string]any) { b["Policy"] = map[string]any{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, a, _ := inspectRewritten(t, "GetKeyPolicy", edit)
				wantGaps(t, f, map[string]usage.GapReason{"GetKeyPolicy": usage.Malformed})
				if f.Policy != "" || a.Retirable() {
					t.Errorf("policy %q, retirable %v", f.Policy, a.Retirable())
				}
			})
		})
	}
}

// KMS answers with an empty list where there is nothing. An answer without the
// list does not say that: "absent and empty are different".
func TestAListThatIsAbsentIsNotAnEmptyList(t *testing.T) {
	for op, member := range map[string]string{
		"ListAliases": "Aliases", "ListGrants": "Grants", "ListResourceTags": "Tags", "ListKeyRotations": "Rotations",
	} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				f, _, _ := inspectRewritten(t, op, func(b map[string]any) {
					if _, ok := b[member]; !ok {
						t.Errorf("the fake's answer of %s has no %s to take away", op, member)
					}
					delete(b, member)
				})
				wantGaps(t, f, map[string]usage.GapReason{op: usage.Malformed})
			})
		})
	}
	t.Run("ListKeys", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			onToday(t)
			srv := kmsfake.New()
			fill(t, srv, home, ohio, 1)
			srv.Inject(faultAt("ListKeys", rewrite(func(b map[string]any) { delete(b, "Keys") })))
			fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio)))
			if !errors.Is(err, usage.ErrMalformed) {
				t.Errorf("%d findings and the error %v; want ErrMalformed: this is not an account without keys", len(fs), err)
			}
		})
	})
}

func TestAGrantMayLackEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		f, a, _ := inspectRewritten(t, "ListGrants", func(b map[string]any) { b["Grants"] = []any{map[string]any{}} })
		wantGaps(t, f, nil)
		if len(f.Grants) != 1 || !f.Grants[0].Created.IsZero() {
			t.Errorf("grants = %+v, want one without a date", f.Grants)
		}
		if a.Retirable() {
			t.Error("it is retirable in spite of a grant")
		}
	})
}

// The SDK's mocks and stubs may answer with neither a result nor an error.
func TestNeitherAnAnswerNorAnErrorIsMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		f := mustInspectOne(t, &mute{stub: stub{keys: manyARNs(1)}})
		wantGaps(t, f, map[string]usage.GapReason{
			"ListAliases": usage.Malformed, "DescribeKey": usage.Malformed, "GetKeyLastUsage": usage.Malformed, "ListGrants": usage.Malformed,
			"GetKeyPolicy": usage.Malformed, "ListResourceTags": usage.Malformed, "ListKeyRotations": usage.Malformed,
		})
	})
	_, err := usage.Collect(usage.Inspect(t.Context(), &mute{dumb: true}))
	if es := targetErrors(t, err); len(es) != 1 || !errors.Is(err, usage.ErrMalformed) {
		t.Errorf("err = %v, want one TargetError that is ErrMalformed", err)
	}
}
