package sqltest

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// bucket is where the files of the tests would be.
const bucket = "s3://amzn-s3-demo-bucket/"

// eachRecord calls f with every record of the log files of an archive.
func eachRecord(fsys fs.FS, f func(path string, record map[string]any) error) error {
	return fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		packed, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		zip, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		plain, err := io.ReadAll(zip)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var file struct{ Records []map[string]any }
		if err := json.Unmarshal(plain, &file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, r := range file.Records {
			if err := f(path, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// asSerDe is a record as the SerDe of AWS's table reads it: names in lower case,
// columns of type string as text, whatever they are in JSON.
func asSerDe(record map[string]any, columns []column) (map[string]any, error) {
	row := map[string]any{}
	lower, _ := lowered(record).(map[string]any)
	for _, c := range columns {
		v, ok := lower[c.name]
		if !ok || v == nil {
			continue
		}
		if c.kind != "VARCHAR" {
			row[c.name] = v
			continue
		}
		if s, ok := v.(string); ok {
			row[c.name] = s
			continue
		}
		// The names inside of it are as they were.
		for name, original := range record {
			if strings.EqualFold(name, c.name) {
				v = original
			}
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		row[c.name] = string(text)
	}
	return row, nil
}

// lowered has the names of all members in lower case.
func lowered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, value := range v {
			m[strings.ToLower(name)] = lowered(value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = lowered(e)
		}
		return list
	}
	return v
}

// loadAthena makes the table that the statement given makes in Athena, and fills
// it with the records of an archive.
func loadAthena(ctx context.Context, db *sql.DB, create, table, folder string, fsys fs.FS) error {
	columns, partitions, err := columnsOf(create)
	if err != nil {
		return err
	}
	return load(ctx, db, table, append(append(columns, partitions...), column{"$path", "VARCHAR"}), folder, fsys, func(path string, record map[string]any) (map[string]any, error) {
		row, err := asSerDe(record, columns)
		if err != nil {
			return nil, err
		}
		row["$path"] = bucket + path
		// prefix/account/CloudTrail/region/yyyy/mm/dd/file
		parts := strings.Split(path, "/")
		n := len(parts)
		for _, p := range partitions {
			switch p.name {
			case "account":
				row[p.name] = parts[n-7]
			case "region":
				row[p.name] = parts[n-5]
			case "year":
				row[p.name] = parts[n-4]
			case "month":
				row[p.name] = parts[n-3]
			case "day":
				row[p.name] = strings.Join(parts[n-4:n-1], "/")
				if slices.ContainsFunc(partitions, func(p column) bool { return p.name == "year" }) {
					row[p.name] = parts[n-2]
				}
			default:
				row[p.name] = strings.Join(parts[n-4:n-1], "/")
			}
		}
		return row, nil
	})
}

// lakeColumns are the columns of an event data store that the statements read,
// with the types that they have there.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html
var lakeColumns = []column{
	{"eventversion", "VARCHAR"},
	{"useridentity", `STRUCT("type" VARCHAR, principalid VARCHAR, arn VARCHAR, accountid VARCHAR, sessioncontext STRUCT(sessionissuer STRUCT("type" VARCHAR, principalid VARCHAR, arn VARCHAR, accountid VARCHAR, username VARCHAR)), invokedby VARCHAR)`},
	{"eventtime", "TIMESTAMP"},
	{"eventsource", "VARCHAR"},
	{"eventname", "VARCHAR"},
	{"awsregion", "VARCHAR"},
	{"sourceipaddress", "VARCHAR"},
	{"errorcode", "VARCHAR"},
	{"errormessage", "VARCHAR"},
	{"requestparameters", "MAP(VARCHAR, VARCHAR)"},
	{"responseelements", "MAP(VARCHAR, VARCHAR)"},
	{"requestid", "VARCHAR"},
	{"eventid", "VARCHAR"},
	{"readonly", "BOOLEAN"},
	{"resources", "STRUCT(accountid VARCHAR, \"type\" VARCHAR, arn VARCHAR, arnprefix VARCHAR)[]"},
	{"eventtype", "VARCHAR"},
	{"managementevent", "BOOLEAN"},
	{"recipientaccountid", "VARCHAR"},
	{"sharedeventid", "VARCHAR"},
	{"eventcategory", "VARCHAR"},
}

// loadLake makes and fills a table like an event data store.
func loadLake(ctx context.Context, db *sql.DB, table, folder string, fsys fs.FS) error {
	return load(ctx, db, table, lakeColumns, folder, fsys, func(_ string, record map[string]any) (map[string]any, error) {
		row, _ := lowered(record).(map[string]any)
		for column, member := range map[string]string{"requestparameters": "requestParameters", "responseelements": "responseElements"} {
			delete(row, column) // what is no object does not fit into a map
			object, ok := record[member].(map[string]any)
			if !ok {
				continue
			}
			texts := map[string]any{}
			for name, v := range object {
				if s, ok := v.(string); ok {
					texts[name] = s
					continue
				}
				text, err := json.Marshal(v)
				if err != nil {
					return nil, err
				}
				texts[name] = string(text)
			}
			row[column] = texts
		}
		return row, nil
	})
}

// load makes a table and fills it, by way of a file in the folder given.
func load(ctx context.Context, db *sql.DB, table string, columns []column, folder string, fsys fs.FS, rowOf func(path string, record map[string]any) (map[string]any, error)) (err error) {
	file, err := os.Create(filepath.Join(folder, "records.ndjson"))
	if err != nil {
		return err
	}
	out := json.NewEncoder(file)
	err = eachRecord(fsys, func(path string, record map[string]any) error {
		row, err := rowOf(path, record)
		if err != nil {
			return err
		}
		return out.Encode(row)
	})
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	var definitions, types []string
	for _, c := range columns {
		definitions = append(definitions, fmt.Sprintf("%q %s", c.name, c.kind))
		types = append(types, fmt.Sprintf("'%s': '%s'", c.name, strings.ReplaceAll(c.kind, "'", "''")))
	}
	for _, statement := range []string{
		"CREATE TABLE " + table + " (" + strings.Join(definitions, ", ") + ")",
		"INSERT INTO " + table + " SELECT * FROM read_json('" + file.Name() + "', format = 'newline_delimited', columns = {" + strings.Join(types, ", ") + "})",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	return nil
}
