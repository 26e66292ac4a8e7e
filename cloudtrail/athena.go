package cloudtrail

import (
	"cmp"
	"context"
	"strings"
	"time"
)

// AthenaSource is the name of an Athena table as a source of events.
const AthenaSource = "cloudtrail-athena"

// athenaLimit is how many bytes a statement may have. It cannot be raised.
// https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
const athenaLimit = 262144

// AthenaTable is a table of Athena over the log files that CloudTrail delivers.
// The zero value but for its Name is one made as AWS describes for partition
// projection, with the column timestamp as its only partition.
// https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html
//
// It must have the columns eventsource, eventname, eventtime, eventid,
// sharedeventid, requestid, eventtype, eventcategory, errorcode, errormessage,
// recipientaccountid, awsregion, sourceipaddress, readonly, requestparameters and
// responseelements, all of type string, and useridentity and resources as structs:
// those of [AthenaTable.Create], which are AWS's own. Coverage is told by the paths
// of the files, so that it must be a table over the files themselves: a view, or a
// table made of one, has no coverage.
type AthenaTable struct {
	// Database of the table; empty: the one that the query is run in.
	Database string
	Name     string
	// Day is the partition by day, a string such as 2026/03/01; empty: timestamp.
	// If Year and Month are set, it is the last of three such as 2026, 03 and 01.
	// https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table.html
	Day, Year, Month string
	// Account and Region are the partitions by account and Region; empty: there are
	// none, and the records tell.
	// https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-org-wide-trail.html
	Account, Region string
	// Unpartitioned says that there are no partitions at all: every statement reads
	// the whole archive.
	Unpartitioned bool
}

func (t AthenaTable) resolve() (AthenaTable, error) {
	if t.Day == "" && t.Year == "" && !t.Unpartitioned {
		t.Day = "timestamp"
	}
	switch {
	case (t.Year == "") != (t.Month == "") || t.Year != "" && t.Day == "":
		return t, invalidOption("partitions by year %q, month %q and day %q; want all three or none", t.Year, t.Month, t.Day)
	case t.Unpartitioned && t != (AthenaTable{Database: t.Database, Name: t.Name, Unpartitioned: true}):
		return t, invalidOption("a table without partitions has partitions")
	}
	if err := checkSQLName("table", t.Name); err != nil {
		return t, err
	}
	for _, n := range []struct{ what, name string }{
		{"database", t.Database}, {"column", t.Day}, {"column", t.Year}, {"column", t.Month}, {"column", t.Account}, {"column", t.Region},
	} {
		if n.name == "" {
			continue
		}
		if err := checkSQLName(n.what, n.name); err != nil {
			return t, err
		}
	}
	return t, nil
}

// Statements writes the statements that [AthenaTable.Ask] runs, for those who run
// them themselves or want to see what they will pay for. An error is of
// [usage.ErrInvalidOption], also where a list makes a statement too long.
func (t AthenaTable) Statements(optFns ...func(*QueryOptions)) (Statements, error) {
	o, err := queryOptions(optFns)
	if err != nil {
		return Statements{}, err
	}
	s, err := t.source(o)
	if err != nil {
		return Statements{}, err
	}
	return s.statements(o)
}

// Ask runs the statements, all at once, and returns what they answer. An error
// beside a history is of a statement that failed, was canceled or denied, see
// [QueryError]: what the others answered is there, and no coverage is without a
// blind spot. The history is nil if the options cannot be meant
// ([usage.ErrInvalidOption]).
//
// Statements go on, and cost, when the context ends, unless q is a [QueryStopper].
func (t AthenaTable) Ask(ctx context.Context, q Querier, optFns ...func(*QueryOptions)) (*QueryHistory, error) {
	o, err := queryOptions(optFns)
	if err != nil {
		return nil, err
	}
	s, err := t.source(o)
	if err != nil {
		return nil, err
	}
	return ask(ctx, q, s, o)
}

// athenaPath is the part of a file's path that the group of a pattern matches,
// empty if there is none.
func athenaPath(pattern string) string {
	return `coalesce(regexp_extract("$path", '` + pattern + `', 1), '')`
}

var athenaAccount, athenaRegion = athenaPath("/([0-9]{12})/CloudTrail/"), athenaPath("/CloudTrail/([^/]+)/")

// source is what is particular to the table.
//
// The path of the file that a row is from is the column $path.
// https://docs.aws.amazon.com/athena/latest/ug/querying-finding-s3-file.html
func (t AthenaTable) source(o QueryOptions) (*sqlSource, error) {
	t, err := t.resolve()
	if err != nil {
		return nil, err
	}
	return &sqlSource{
		name: AthenaSource, service: "Athena", limit: athenaLimit, from: t.quoted(), where: t.prune(o),
		time:    "eventtime",
		request: func(member string) string { return "json_extract_scalar(requestparameters, '$." + member + "')" },
		answer:  func(member string) string { return "json_extract_scalar(responseelements, '$." + member + "')" },
		object:  func(member string) string { return "json_format(json_extract(requestparameters, '$." + member + "'))" },
		reads:   "readonly = 'true'",
		account: athenaAccount, region: athenaRegion,
		day:  athenaPath("/CloudTrail/[^/]+/([0-9]{4}/[0-9]{2}/[0-9]{2})/"),
		file: `"$path"`, stamp: athenaPath("_([0-9]{8}T[0-9]{4}Z)_[^/]*$"),
		tree:         athenaPath("^(.*)/[0-9]{12}/CloudTrail/"),
		organization: `CASE WHEN regexp_like("$path", '/o-[0-9a-z]{10,32}/[0-9]{12}/CloudTrail/') THEN '1' ELSE '' END`,
		unknown:      "Athena does not tell which log files its table leaves out",
	}, nil
}

func (t AthenaTable) quoted() string {
	if t.Database == "" {
		return sqlName(t.Name)
	}
	return sqlName(t.Database) + "." + sqlName(t.Name)
}

// prune rules out partitions. A file is filed under the day on which it was made
// and holds events of that day and the end of the day before.
//
// Without partitions by account or Region the path of a file tells, and the record
// only where that does not, as with log files: a record that lacks what it should
// have is not left out in silence.
func (t AthenaTable) prune(o QueryOptions) []string {
	var all []string
	in := func(column, path, record string, values []string) {
		switch {
		case len(values) == 0:
		case column != "":
			all = append(all, sqlName(column)+" IN ("+sqlList(values)+")")
		default:
			all = append(all, "coalesce(nullif("+path+", ''), "+record+", '') IN ('', "+sqlList(values)+")")
		}
	}
	in(t.Account, athenaAccount, "recipientaccountid", o.Accounts)
	in(t.Region, athenaRegion, "awsregion", o.Regions)
	if t.Unpartitioned {
		return all
	}
	limit := func(compare string, d time.Time) {
		if t.Year == "" {
			all = append(all, sqlName(t.Day)+compare+sqlText(d.Format("2006/01/02")))
			return
		}
		// The year by itself also rules out what the catalog lists.
		all = append(all, sqlName(t.Year)+compare+sqlText(d.Format("2006")),
			sqlName(t.Year)+" || "+sqlName(t.Month)+" || "+sqlName(t.Day)+compare+sqlText(d.Format("20060102")))
	}
	if !o.From.IsZero() {
		limit(" >= ", o.From)
	}
	if !o.To.IsZero() {
		limit(" <= ", o.To.Add(oneDay-1)) // To itself is not asked for
	}
	return all
}

// AthenaLocation is where the log files are that a table is made over.
type AthenaLocation struct {
	// Folder is the one that holds the folders of accounts, such as
	// "s3://bucket/prefix/AWSLogs" or, of an organization's trail,
	// "s3://bucket/prefix/AWSLogs/o-abcde12345".
	Folder string
	// Accounts and Regions that are in it; of a table without a partition by account
	// or Region the only one. AWS advises against many in one table.
	Accounts, Regions []string
	// Since is the first day, UTC. Zero: 2013-11-13, when CloudTrail began.
	Since time.Time
}

// Create writes the statement that makes the table, with partition projection, so
// that no partition ever has to be added. An error is of
// [usage.ErrInvalidOption].
func (t AthenaTable) Create(l AthenaLocation) (string, error) {
	t, err := t.resolve()
	if err != nil {
		return "", err
	}
	if t.Year != "" || t.Unpartitioned {
		return "", invalidOption("only a table partitioned by a single column of days can project its partitions")
	}
	folder := strings.TrimRight(l.Folder, "/")
	if !strings.HasPrefix(folder, "s3://") || strings.ContainsAny(folder, "'\"$\\` ") {
		return "", invalidOption("folder %q; want one such as s3://bucket/AWSLogs", l.Folder)
	}
	if err := checkSQLText("folder", folder); err != nil {
		return "", err
	}
	for _, a := range l.Accounts {
		if !isAccount(a) {
			return "", invalidOption("account %q; want twelve digits", a)
		}
	}
	for _, r := range l.Regions {
		if err := checkSQLName("Region", r); err != nil || !isRegion(r) {
			return "", cmp.Or(err, invalidOption("Region %q; want names such as us-east-1", r))
		}
	}
	since := l.Since.UTC()
	if l.Since.IsZero() {
		since = time.Date(2013, time.November, 13, 0, 0, 0, 0, time.UTC)
	}
	var partitions, properties strings.Builder
	project := func(column, kind string, more ...string) {
		partitions.WriteString("  " + hiveName(column) + " STRING,\n")
		properties.WriteString("  'projection." + column + ".type' = '" + kind + "',\n")
		for i := 0; i < len(more); i += 2 {
			properties.WriteString("  'projection." + column + "." + more[i] + "' = '" + more[i+1] + "',\n")
		}
	}
	account, region := "", ""
	for _, p := range []struct {
		what, column string
		values       []string
		part         *string
	}{{"account", t.Account, l.Accounts, &account}, {"Region", t.Region, l.Regions, &region}} {
		switch {
		case p.column != "" && len(p.values) > 0:
			project(p.column, "enum", "values", strings.Join(sortedOnce(p.values), ","))
			*p.part = "${" + p.column + "}"
		case p.column == "" && len(p.values) == 1:
			*p.part = p.values[0]
		default:
			return "", invalidOption("%d values of %s; want one, or a partition column and at least one", len(p.values), p.what)
		}
	}
	project(t.Day, "date", "format", "yyyy/MM/dd", "range", since.Format("2006/01/02")+",NOW", "interval", "1", "interval.unit", "DAYS")
	template := folder + "/" + account + "/CloudTrail/" + region + "/${" + t.Day + "}"
	location := folder + "/"
	if t.Account == "" {
		if location += account + "/CloudTrail/"; t.Region == "" {
			location += region + "/"
		}
	}
	name := hiveName(t.Name)
	if t.Database != "" {
		name = hiveName(t.Database) + "." + name
	}
	statement := "CREATE EXTERNAL TABLE " + name + " (\n" + athenaColumns + ")\nPARTITIONED BY (\n" + strings.TrimSuffix(partitions.String(), ",\n") + `
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION '` + location + `'
TBLPROPERTIES (
  'projection.enabled' = 'true',
` + properties.String() + "  'storage.location.template' = '" + template + "'\n)"
	if len(statement) > athenaLimit {
		return "", invalidOption("the statement has %d bytes and Athena takes %d: name fewer accounts", len(statement), athenaLimit)
	}
	return statement, nil
}

// hiveName is an identifier in statements that define, which are Hive's.
func hiveName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// athenaColumns are the columns that AWS gives such a table, as far as they are
// read here. More do no harm.
const athenaColumns = `  eventversion STRING,
  useridentity STRUCT<
    type: STRING,
    principalid: STRING,
    arn: STRING,
    accountid: STRING,
    invokedby: STRING,
    sessioncontext: STRUCT<
      sessionissuer: STRUCT<
        type: STRING,
        principalid: STRING,
        arn: STRING,
        accountid: STRING,
        username: STRING>>>,
  eventtime STRING,
  eventsource STRING,
  eventname STRING,
  awsregion STRING,
  sourceipaddress STRING,
  useragent STRING,
  errorcode STRING,
  errormessage STRING,
  requestparameters STRING,
  responseelements STRING,
  requestid STRING,
  eventid STRING,
  readonly STRING,
  resources ARRAY<STRUCT<
    arn: STRING,
    accountid: STRING,
    type: STRING>>,
  eventtype STRING,
  recipientaccountid STRING,
  sharedeventid STRING,
  eventcategory STRING
`
