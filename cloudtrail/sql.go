package cloudtrail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Statements are the questions to an archive of events that is asked where it
// lies. Each reads the archive once, which is what Athena and CloudTrail Lake
// charge for, and answers for all keys. They are in the dialect of Trino, and need
// Athena's engine version 3.
// https://docs.aws.amazon.com/athena/latest/ug/functions-env3.html
// https://trino.io/docs/current/functions/aggregate.html (max_by)
// https://trino.io/docs/current/functions/array.html (filter, transform)
// https://trino.io/docs/current/functions/regexp.html
// https://trino.io/docs/current/functions/json.html
// https://trino.io/docs/current/functions/string.html (translate)
// https://trino.io/docs/current/sql/select.html (UNNEST)
type Statements struct {
	// Use asks for the first and the last call of every key, per operation, error
	// code and service, with who made it, and how many there were.
	Use string
	// Attempts asks for refusals since a key was off, the newest of each key and
	// how many there were, for the calls that switch keys off and on, for those that
	// made replicas, and for the changes of trails.
	Attempts string
	// Coverage asks which days of which account and Region there are, and what in
	// them cannot be read.
	Coverage string
}

// sqlSource is where Athena and CloudTrail Lake differ.
type sqlSource struct {
	name    string   // of the source of events, in records
	service string   // for messages
	from    string   // the table, quoted
	where   []string // what rules out partitions
	limit   int      // bytes of a statement
	time    string   // the time of an event as in its record
	// A text of the request and of the answer, and an object of the request as JSON:
	// the member, or the member of it that is named after a dot. NULL if there is none.
	request, answer, object func(member string) string
	only                    string // what else tells management events; empty: nothing
	reads                   string // true for an event that only reads

	// The account, Region and day that the coverage is of, and when its files were
	// made, or its events happened if there are none.
	account, region, day, file, stamp, organization string
	tree                                            string // the folder that holds that of the account: one trail's

	unknown string // the blind spot that is left if nobody vouches for the archive
}

const (
	// sqlCopies is how many copies of an event may be among the newest refusals
	// before fewer are shown than could be: a day that is there twice, in the logs
	// of two accounts.
	sqlCopies = 4
	// sqlSwitches is how many calls that switch a key off and on are looked at, the
	// newest, and how many changes of trails of an account and calls that made a
	// replica, the earliest.
	sqlSwitches = 256

	sqlStamp = "2006-01-02T15:04:05Z"
	// sqlKeyARN is isKeyARN, but for semicolons, at which some tools part statements.
	// All patterns end with \z: in Trino, as in Java, $ also stands before the newline
	// that ends a text.
	// https://trino.io/docs/current/functions/regexp.html
	sqlKeyARN = `^arn:[!-9<-~]+:kms:[!-9<-~]+:[!-9<-~]+:key/[!-.0-9<-~]+\z`
	// sqlKeyARNs finds in prose what fromMessage does.
	sqlKeyARNs = `arn:[0-9A-Za-z:/_-]*[0-9A-Za-z]`
	// sqlTime is the only way in which CloudTrail writes times. As texts they are in
	// the order of time, and with the digits inverted in the opposite one.
	sqlTime                = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\z`
	sqlDigits, sqlInverted = `'0123456789'`, `'9876543210'`
)

// eventColumns are the texts that make up an event, in the order of its array.
var eventColumns = []string{
	"event_time", "event_name", "event_id", "request_id", "principal", "role", "invoked_by", "source_ip", "error_code", "context", "shared_id",
}

// attemptColumns are those that only the second statement needs.
var attemptColumns = append(slices.Clone(eventColumns), "region", "trail", "organization")

// The columns of the answers.
var (
	useColumns = slices.Concat(
		[]string{"key_arn", "event_name", "error_code", "service", "calls"},
		numbered("first_", len(eventColumns)), numbered("last_", len(eventColumns)))
	attemptsColumns = slices.Concat([]string{"class", "account", "key_arn", "calls"}, numbered("event_", len(attemptColumns)))
	coverageColumns = []string{
		"account", "region", "day", "files", "first_stamp", "last_stamp", "organization",
		"reads", "unnamed", "untimed", "future", "unread", "example", "tree", "unnamed_day", "no_outcome", "crowded",
	}
)

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return names
}

// statements writes the three statements.
func (s *sqlSource) statements(o QueryOptions) (Statements, error) {
	st := Statements{Use: s.use(o), Attempts: s.attempts(o), Coverage: s.coverage(o)}
	for _, text := range []string{st.Use, st.Attempts, st.Coverage} {
		if len(text) > s.limit {
			return Statements{}, invalidOption("a statement has %d bytes and %s takes %d: ask for fewer keys, accounts or Regions at once, or for all", len(text), s.service, s.limit)
		}
	}
	return st, nil
}

// use groups the calls of a key, so that who counts and what is a use is for the
// same code to say as with log files.
//
// There are at most as many groups as the operations, error codes and services of
// a key: the answer does not grow with the archive. Nothing is sorted. What an
// aggregation must remember of every event is its ID, to count copies once, and
// with FirstAndLastOnly nothing.
func (s *sqlSource) use(o QueryOptions) string {
	calls, service := "count(DISTINCT id)", sqlService
	only := []string{s.kms(), s.timed(o), "NOT (" + sqlNoOutcome + ")"}
	if o.FirstAndLastOnly {
		calls, service = "0", "''"
		names := append(slices.Sorted(maps.Keys(tracked)), opGetPublicKey, opCreateKey)
		only = append(only, "coalesce(errorcode, '') = ''", "eventname IN ("+sqlList(names)+")")
	}
	return "SELECT key_arn, event_name, error_code, service, calls,\n  " + elements("first_event", "first_", len(eventColumns)) + ",\n  " + elements("last_event", "last_", len(eventColumns)) + `
FROM (
  SELECT key_arn, event_name, error_code, service, ` + calls + ` AS calls,
    max_by(event, translate(event_time, ` + sqlDigits + ", " + sqlInverted + `) || tie) AS first_event,
    max_by(event, event_time || tie) AS last_event
  FROM (
    SELECT key_arn, event_time, event_name, error_code,
      ` + service + ` AS service,
      ` + sqlID + ` AS id,
      ` + sqlTie + ` AS tie,
      ` + sqlEvent(eventColumns) + ` AS event
    FROM ` + s.attributed("", only) + `
    CROSS JOIN UNNEST(key_arns) AS k (key_arn)` + keyFilter(o) + `
  ) AS c
  GROUP BY key_arn, event_name, error_code, service
) AS g`
}

// attempts lists the newest refusals and switches of each key, what made it if it
// is a replica, and the earliest changes of trails of each account. These are those
// of all times that are read: what was changed before counts for what comes after.
// Those of an organization's trail, which concern other accounts too, are listed
// apart, where many of the account's own cannot crowd them out.
func (s *sqlSource) attempts(o QueryOptions) string {
	refusal := s.refusal()
	if !o.RefusedSince.IsZero() {
		refusal += "\n        AND " + s.time + " >= " + sqlSecond(o.RefusedSince)
	}
	calls := "coalesce(errorcode, '') = '' AND eventname IN (" + sqlList(append(slices.Clone(switchOps[:]), opReplicateKey)) + ")"
	const (
		class = "CASE WHEN event_source LIKE 'cloudtrail.%' THEN 'trail' WHEN error_code <> '' THEN 'refusal' WHEN event_name = '" + opReplicateKey + "' THEN 'replica' ELSE 'switch' END"
		// The first counts of what is the same for long, of the rest the last.
		order = "CASE WHEN class IN ('trail', 'replica') THEN translate(event_time, " + sqlDigits + ", " + sqlInverted + ") ELSE event_time END || tie"
	)
	more := ",\n        coalesce(eventsource, '') AS event_source, coalesce(recipientaccountid, '') AS account, coalesce(awsregion, '') AS region,\n        coalesce(" +
		s.request("name") + ", " + s.request("trailName") + ", '') AS trail,\n        " + s.organization + " AS organization"
	only := []string{s.management(), s.dated(), "(" + s.trailChange() + "\n      OR " + s.kmsSource() + " AND " + s.ranged(o) + " AND NOT (" + sqlNoOutcome + ") AND (" + refusal + "\n      OR " + calls + "))"}
	keep := max(sqlCopies*o.Refusals, sqlSwitches)
	return "SELECT class, account, key_arn, calls,\n  " + elements("event", "event_", len(attemptColumns)) + `
FROM (
  SELECT class, account, key_arn, count(DISTINCT id) AS calls, max_by(event, ` + order + `, ` + fmt.Sprint(keep) + `) AS events
  FROM (
    SELECT key_arn, event_time, class,
      CASE WHEN class = 'trail' THEN account ELSE '' END AS account,
      ` + sqlID + ` AS id,
      ` + sqlTie + ` AS tie,
      ` + sqlEvent(attemptColumns) + ` AS event
    FROM (
      SELECT *, ` + class + ` AS class
      FROM ` + s.attributed(more, only) + `
    ) AS n
    CROSS JOIN UNNEST(CASE class WHEN 'trail' THEN ARRAY[organization] WHEN 'replica' THEN in_answer WHEN 'refusal' THEN ` + sqlRefused + ` ELSE key_arns END) AS k (key_arn)` + keyFilter(o, "class = 'trail'") + `
  ) AS c
  GROUP BY class, account, key_arn
) AS g
CROSS JOIN UNNEST(events) AS e (event)`
}

// refusal tells what refused does. errorcode is no NULL where its pattern is asked
// for.
func (*sqlSource) refusal() string {
	return `coalesce(errorcode, '') <> '' AND eventname IN (` + sqlList(append(slices.Sorted(maps.Keys(tracked)), opCreateGrant)) + `)
        AND (regexp_like(errorcode, '(^|[.])(DisabledException|Disabled|KeyUnavailableException)\z')
          OR regexp_like(errorcode, '(^|[.])(KMSInvalidStateException|InvalidStateException|KMSInvalidState)\z')
            AND NOT regexp_like(lower(coalesce(errormessage, '')), ' is (creating|updating)'))`
}

// trailChange tells an event after which a trail may record less, if it is one of
// management.
func (*sqlSource) trailChange() string {
	return "coalesce(errorcode, '') = '' AND eventsource IN (" + sqlList([]string{trailSource, trailSourceCN}) + ") AND eventname IN (" + sqlList(slices.Sorted(maps.Keys(trailChanges))) + ")"
}

// coverage counts, per trail, account, Region and day of the archive, what the claim
// that everything was seen rests on. Uses that name no key are of the day on which
// they happened.
func (s *sqlSource) coverage(o QueryOptions) string {
	count := func(condition string) string { return "sum(CASE WHEN " + condition + " THEN 1 ELSE 0 END)" }
	more := ",\n        " + s.account + " AS account, " + s.region + " AS region, " + s.day + " AS day,\n        " +
		s.file + " AS file, " + s.stamp + " AS stamp, " + s.organization + " AS organization, " + s.tree + " AS tree,\n        " +
		"CASE WHEN " + s.kms() + " THEN 1 ELSE 0 END AS kms, CASE WHEN " + s.reads + " THEN 1 ELSE 0 END AS only_reads,\n        " +
		"CASE WHEN " + s.management() + " AND " + s.trailChange() + " THEN 1 ELSE 0 END AS changes,\n        " +
		"CASE WHEN " + sqlNoOutcome + " THEN 1 ELSE 0 END AS no_outcome,\n        " +
		"CASE WHEN coalesce(errorcode, '') = '' AND eventname IN (" + sqlList(append(slices.Sorted(maps.Keys(tracked)), opGetPublicKey)) + ")\n          OR " + s.refusal() + " THEN 1 ELSE 0 END AS counts,\n        " +
		"CASE WHEN " + s.dated() + " THEN 1 ELSE 0 END AS timed,\n        " +
		"CASE WHEN coalesce(eventsource, '') = '' THEN 1 ELSE 0 END AS unread"
	ranged := "kms = 1 AND timed = 1 AND event_time <= " + sqlSecond(o.latest()) + sqlRange("event_time", o)
	// As call.partly has it.
	unnamed := ranged + " AND no_outcome = 0 AND counts = 1 AND (cardinality(key_arns) = 0 OR event_name = '" + opReEncrypt + "' AND cardinality(key_arns) < 2\n      AND cardinality(in_resources) < 2 AND (source_key = '' OR source_key <> destination_key))"
	// What lies where nobody can tell whose it is may be of those that are asked for.
	var only []string
	if len(o.Accounts) > 0 {
		only = append(only, s.account+" IN ('', "+sqlList(o.Accounts)+")")
	}
	if len(o.Regions) > 0 {
		only = append(only, s.region+" IN ('', "+sqlList(o.Regions)+")")
	}
	return `SELECT account, region, day, count(DISTINCT file) AS files,
  coalesce(min(nullif(stamp, '')), '') AS first_stamp, max(stamp) AS last_stamp, max(organization) AS organization,
  ` + count(ranged+" AND only_reads = 1") + ` AS reads,
  ` + count("unnamed_day <> ''") + ` AS unnamed,
  ` + count("kms + changes > 0 AND timed = 0") + ` AS untimed,
  ` + count("kms = 1 AND timed = 1 AND event_time > "+sqlSecond(o.latest())+sqlRange("event_time", o)) + ` AS future,
  ` + count("unread = 1") + ` AS unread,
  max(CASE WHEN kms + changes > 0 AND timed = 0 THEN event_id ELSE '' END) AS example, tree, unnamed_day,
  ` + count(ranged+" AND no_outcome = 1") + ` AS no_outcome,
  ` + count(ranged+" AND no_outcome = 0 AND cardinality(key_arns) > "+fmt.Sprint(maxNamed)) + ` AS crowded
FROM (
  SELECT *, CASE WHEN ` + unnamed + ` THEN substr(event_time, 1, 10) ELSE '' END AS unnamed_day
  FROM ` + s.attributed(more, only) + `
) AS u
GROUP BY account, region, day, tree, unnamed_day`
}

// An event that speaks of an error and has no code of it, as outcome has it.
const sqlNoOutcome = `coalesce(errorcode, '') = '' AND coalesce(errormessage, '') <> ''`

// The keys that a refusal is of, as [call.blame] has it: which its message names, if
// it names any of them.
const sqlRefused = `CASE WHEN cardinality(array_intersect(key_arns, in_message)) > 0 THEN array_intersect(key_arns, in_message) ELSE key_arns END`

// The service on whose behalf a call was made, as [call.service] has it.
const sqlService = `CASE WHEN source_ip LIKE '%.amazonaws.com' OR source_ip LIKE '%.amazonaws.com.cn' THEN source_ip
        WHEN invoked_by <> '' THEN invoked_by WHEN source_ip = 'AWS Internal' THEN source_ip ELSE '' END`

// What is the same for all copies of an event, whichever account's log they are of.
const sqlID = `coalesce(nullif(shared_id, ''), nullif(event_id, ''), request_id || event_time || event_name)`

// What is larger, of two events at the same time, for the one that is shown, as
// [kept.order] has it.
const sqlTie = `CASE WHEN principal = '' THEN '0' ELSE '1' END || event_id || ' ' || event_name || ' ' || request_id`

// attributed reads the archive and tells of every event which keys it names, as
// attribute does with log files: the resources count, then the request, then the
// error message, then the answer, and the request besides where ReEncrypt names one
// key only. in_order has them as they come, the source first, some twice.
//
// Subqueries, not WITH: a statement must begin with SELECT for CloudTrail Lake,
// and what WITH names and two parts use is read twice.
func (s *sqlSource) attributed(more string, only []string) string {
	where := ""
	if conditions := slices.Concat(s.where, only); len(conditions) > 0 {
		where = "\n      WHERE " + strings.Join(conditions, "\n        AND ")
	}
	members := make([]string, len(requestKeys))
	for i, m := range requestKeys {
		members[i] = s.request(m)
	}
	// As call.readLife has it. The answer of ReplicateKey names the replica that it
	// made, which is not the key that was called.
	answer := "CASE WHEN coalesce(errorcode, '') <> '' THEN NULL WHEN eventname = '" + opCreateKey + "' THEN " + s.answer("keyMetadata.arn") +
		"\n          WHEN eventname = '" + opReplicateKey + "' THEN " + s.answer("replicaKeyMetadata.arn") +
		"\n          WHEN eventname IN (" + sqlList(switchOps[:]) + ") THEN " + s.answer("keyId") + " END"
	object := func(name, member string) string { return "coalesce(" + s.object(member) + ", '') AS " + name }
	return `(
    SELECT *, array_distinct(in_order) AS key_arns
    FROM (
    SELECT *, CASE WHEN event_name = '` + opReEncrypt + `' AND cardinality(array_distinct(in_resources)) < 2 AND cardinality(in_resources || in_request) > 0
        THEN filter(in_request, a -> a = source_key) || in_resources || in_request
      WHEN cardinality(in_resources) > 0 THEN in_resources WHEN cardinality(in_request) > 0 THEN in_request
      WHEN cardinality(in_message) > 0 THEN in_message ELSE filter(in_answer, a -> event_name <> '` + opReplicateKey + `') END AS in_order
    FROM (
      SELECT coalesce(` + s.time + `, '') AS event_time, coalesce(eventname, '') AS event_name,
        coalesce(errorcode, '') AS error_code,
        coalesce(eventid, '') AS event_id, coalesce(sharedeventid, '') AS shared_id, coalesce(requestid, '') AS request_id,
        coalesce(nullif(useridentity.arn, ''), useridentity.principalid, '') AS principal,
        coalesce(useridentity.sessioncontext.sessionissuer.arn, '') AS role,
        coalesce(useridentity.invokedby, '') AS invoked_by, coalesce(sourceipaddress, '') AS source_ip,
        ` + strings.Join([]string{
		object("context", "encryptionContext"),
		object("source_context", "sourceEncryptionContext"), object("destination_context", "destinationEncryptionContext"),
		object("grant_subset", "constraints.encryptionContextSubset"), object("grant_equals", "constraints.encryptionContextEquals"),
	}, ",\n        ") + `,
        coalesce(` + members[0] + `, '') AS source_key, coalesce(` + members[2] + `, '') AS destination_key,
        ` + sqlKeys("coalesce(transform(resources, r -> r.arn), ARRAY[''])") + ` AS in_resources,
        ` + sqlKeys("ARRAY["+strings.Join(members, ", ")+"]") + ` AS in_request,
        ` + sqlKeys("regexp_extract_all(coalesce(errormessage, ''), '"+sqlKeyARNs+"')") + ` AS in_message,
        ` + sqlKeys("ARRAY["+answer+"]") + ` AS in_answer` + more + `
      FROM ` + s.from + where + `
    ) AS e ) AS m ) AS a`
}

// sqlKeys are those of a list that are ARNs of keys: a NULL is none.
func sqlKeys(list string) string {
	return "filter(" + list + ", a -> regexp_like(a, '" + sqlKeyARN + "') AND length(a) <= 2048)"
}

// sqlEvent is the array of an event, with the encryption context that concerns
// key_arn, as call.context has it: the first that is an object, and not too large.
func sqlEvent(columns []string) string {
	columns = slices.Clone(columns)
	columns[slices.Index(columns, "context")] = `(filter(CASE event_name
        WHEN '` + opReEncrypt + `' THEN ARRAY[CASE WHEN array_position(in_order, key_arn) = 1 THEN source_context ELSE '' END,
          CASE WHEN array_position(in_order, key_arn) > 1 OR cardinality(key_arns) = 1 THEN destination_context ELSE '' END, context]
        WHEN '` + opCreateGrant + `' THEN ARRAY[context, grant_subset, grant_equals] ELSE ARRAY[context] END,
        c -> c LIKE '{%' AND length(c) <= ` + fmt.Sprint(maxContext) + `) || ARRAY[''])[1]`
	return "ARRAY[" + strings.Join(columns, ", ") + "]"
}

// kmsSource tells an event of KMS.
func (*sqlSource) kmsSource() string {
	return "eventsource IN (" + sqlList([]string{kmsSource, kmsSourceChina}) + ")"
}

// management tells a management event, as the function of that name does.
func (s *sqlSource) management() string {
	text := "coalesce(eventcategory, '') IN ('', 'Management') AND coalesce(eventtype, '') NOT IN ('AwsCloudTrailInsight', 'AwsVpceEvent')"
	if s.only != "" {
		text += " AND " + s.only
	}
	return text
}

func (s *sqlSource) kms() string { return s.kmsSource() + " AND " + s.management() }

// dated tells an event whose time can be read; false, not NULL, where there is none.
func (s *sqlSource) dated() string {
	return "regexp_like(coalesce(" + s.time + ", ''), '" + sqlTime + "')"
}

// ranged tells an event whose time is within what is asked for, and not of the
// future.
func (s *sqlSource) ranged(o QueryOptions) string {
	return s.time + " <= " + sqlSecond(o.latest()) + sqlRange(s.time, o)
}

func (s *sqlSource) timed(o QueryOptions) string { return s.dated() + " AND " + s.ranged(o) }

// sqlRange limits the text of a time to what is asked for.
func sqlRange(column string, o QueryOptions) string {
	text := ""
	if !o.From.IsZero() {
		text += " AND " + column + " >= " + sqlSecond(o.From)
	}
	if !o.To.IsZero() {
		text += " AND " + column + " < " + sqlSecond(o.To)
	}
	return text
}

// keyFilter limits the answer to the keys that are asked for, and to what the
// condition given says.
func keyFilter(o QueryOptions, or ...string) string {
	if len(o.Keys) == 0 {
		return ""
	}
	return "\n    WHERE " + strings.Join(append([]string{"key_arn IN (" + sqlList(o.Keys) + ")"}, or...), " OR ")
}

// elements selects the elements of an event, each under a name of its own.
func elements(array, prefix string, n int) string {
	columns := make([]string, n)
	for i := range columns {
		columns[i] = fmt.Sprintf("%s[%d] AS %s%d", array, i+1, prefix, i+1)
	}
	return strings.Join(columns, ", ")
}

// sqlSecond is the literal of a time. Times of events have whole seconds, so
// that rounding up changes neither "from" nor "before".
func sqlSecond(t time.Time) string {
	t = t.UTC()
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		t = whole.Add(time.Second)
	}
	return sqlText(t.Format(sqlStamp))
}

// sqlText is a text as a literal. There is nothing but the quote to escape:
// backslashes stand for themselves. Control characters have been refused.
// https://trino.io/docs/current/language/types.html#varchar
func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// sqlName is an identifier, whatever it holds.
// https://trino.io/docs/current/language/reserved.html#identifiers
func sqlName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func sqlList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = sqlText(s)
	}
	return strings.Join(quoted, ", ")
}

// checkSQLText refuses what does not belong into any statement, and cannot be
// seen in it.
func checkSQLText(what, s string) error {
	if !utf8.ValidString(s) {
		return invalidOption("%s %q is no UTF-8", what, s)
	}
	for _, c := range s {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == '\u2028' || c == '\u2029' {
			return invalidOption("%s %q holds a control character", what, s)
		}
	}
	return nil
}

// checkSQLName takes letters, digits, underscores and hyphens, which is more than
// AWS recommends and less than a quoted name could hold.
// https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
func checkSQLName(what, s string) error {
	if s == "" || len(s) > 255 {
		return invalidOption("%s %q; want 1 to 255 characters", what, s)
	}
	for _, c := range []byte(s) {
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return invalidOption("%s %q; want letters, digits, _ and -", what, s)
		}
	}
	return nil
}

// sortedOnce returns the texts in order, each once, so that the same question is
// the same statement.
func sortedOnce(texts []string) []string {
	texts = slices.Clone(texts)
	slices.SortFunc(texts, cmp.Compare[string])
	return slices.Compact(texts)
}
