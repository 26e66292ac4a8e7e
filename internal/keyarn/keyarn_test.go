package keyarn

import "testing"

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		arn  string
		want Parts
		ok   bool
	}{
		"commercial partition": {"arn:aws:kms:us-west-2:111122223333:key/1234abcd", Parts{"aws", "us-west-2", "111122223333", "1234abcd"}, true},
		"China":                {"arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1", Parts{"aws-cn", "cn-north-1", "111122223333", "mrk-1"}, true},
		"GovCloud":             {"arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1", Parts{"aws-us-gov", "us-gov-west-1", "111122223333", "1"}, true},
		"an alias is no key":   {"arn:aws:kms:us-west-2:111122223333:alias/a", Parts{}, false},
		"another service":      {"arn:aws:s3:us-west-2:111122223333:key/a", Parts{}, false},
		"a bare ID":            {"1234abcd", Parts{}, false},
		"no Region":            {"arn:aws:kms::111122223333:key/a", Parts{}, false},
		"no account":           {"arn:aws:kms:us-west-2::key/a", Parts{}, false},
		"no ID":                {"arn:aws:kms:us-west-2:111122223333:key/", Parts{}, false},
		"a path behind the ID": {"arn:aws:kms:us-west-2:111122223333:key/a/b", Parts{}, false},
		"empty":                {"", Parts{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := Parse(tt.arn)
			if got != tt.want || ok != tt.ok {
				t.Errorf("Parse(%q) = %+v, %v; want %+v, %v", tt.arn, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	for arn, want := range map[string][2]string{
		"arn:aws:kms:us-west-2:111122223333:alias/aws/ebs": {"111122223333", "us-west-2"},
		"arn:aws-cn:kms:cn-north-1:111122223333:key/a":     {"111122223333", "cn-north-1"},
		"arn:aws:s3:::bucket":                              {},
		"alias/a":                                          {},
		"":                                                 {},
	} {
		if account, region := Owner(arn); account != want[0] || region != want[1] {
			t.Errorf("Owner(%q) = %q, %q; want %v", arn, account, region, want)
		}
	}
}
