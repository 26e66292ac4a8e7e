package sqltest

import (
	"fmt"
	"strings"
)

// column of a table, its type as DuckDB writes it.
type column struct{ name, kind string }

// columnsOf reads the columns and partitions of the statement that makes a table
// of Athena. What it cannot read is an error: this is also the test of its syntax.
func columnsOf(create string) (columns, partitions []column, err error) {
	rest, ok := strings.CutPrefix(create, "CREATE EXTERNAL TABLE ")
	if !ok {
		return nil, nil, fmt.Errorf("it begins with %.40q", create)
	}
	body, rest, ok := strings.Cut(rest, "\n)\nPARTITIONED BY (\n")
	if !ok {
		return nil, nil, fmt.Errorf("it has no partitions")
	}
	_, body, ok = strings.Cut(body, " (\n")
	partitioned, _, ok2 := strings.Cut(rest, "\n)\nROW FORMAT SERDE '")
	if !ok || !ok2 {
		return nil, nil, fmt.Errorf("it has no columns, or no SerDe")
	}
	if columns, err = readColumns(body); err != nil {
		return nil, nil, err
	}
	partitions, err = readColumns(partitioned)
	return columns, partitions, err
}

func readColumns(text string) ([]column, error) {
	p := &typeReader{text: text}
	var all []column
	for {
		name := strings.Trim(p.word(), "`")
		if name == "" {
			return nil, fmt.Errorf("a name is missing before %.30q", p.text)
		}
		kind, err := p.kind()
		if err != nil {
			return nil, err
		}
		all = append(all, column{name, kind})
		if !p.take(",") {
			break
		}
	}
	if p.space(); p.text != "" {
		return nil, fmt.Errorf("%.30q is left over", p.text)
	}
	return all, nil
}

// typeReader reads Hive's types.
type typeReader struct{ text string }

func (p *typeReader) space() { p.text = strings.TrimLeft(p.text, " \n\t") }

func (p *typeReader) word() string {
	p.space()
	n := strings.IndexFunc(p.text, func(c rune) bool { return strings.ContainsRune(" \n\t<>,:", c) })
	if n < 0 {
		n = len(p.text)
	}
	word := p.text[:n]
	p.text = p.text[n:]
	return word
}

func (p *typeReader) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.text, token)
	p.text = rest
	return ok
}

func (p *typeReader) kind() (string, error) {
	switch word := strings.ToUpper(p.word()); word {
	case "STRING":
		return "VARCHAR", nil
	case "ARRAY":
		if !p.take("<") {
			return "", fmt.Errorf("< is missing before %.30q", p.text)
		}
		of, err := p.kind()
		if err == nil && !p.take(">") {
			err = fmt.Errorf("> is missing before %.30q", p.text)
		}
		return of + "[]", err
	case "STRUCT":
		if !p.take("<") {
			return "", fmt.Errorf("< is missing before %.30q", p.text)
		}
		var fields []string
		for {
			name := p.word()
			if name == "" || !p.take(":") {
				return "", fmt.Errorf("a name and : are missing before %.30q", p.text)
			}
			of, err := p.kind()
			if err != nil {
				return "", err
			}
			fields = append(fields, `"`+name+`" `+of)
			if !p.take(",") {
				break
			}
		}
		if !p.take(">") {
			return "", fmt.Errorf("> is missing before %.30q", p.text)
		}
		return "STRUCT(" + strings.Join(fields, ", ") + ")", nil
	default:
		return "", fmt.Errorf("type %q is not known", word)
	}
}
