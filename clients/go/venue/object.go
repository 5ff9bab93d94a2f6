package venue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// object is a JSON object, its names without case and underscores.
type object map[string]any

func parse(text []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Numbers stay text.
	decoder.UseNumber()
	var read map[string]any
	if err := decoder.Decode(&read); err != nil {
		return nil, fmt.Errorf("venue: not a trade: %w", err)
	}
	return named(read), nil
}

func named(read map[string]any) object {
	o := object{}
	for name, value := range read {
		o[plain(name)] = value
	}
	return o
}

func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// text is a member as text, digit for digit; empty when it is absent or null.
func (o object) text(name string) string {
	switch value := o[plain(name)].(type) {
	case string:
		return value
	case json.Number:
		return digits(value.String())
	default:
		return ""
	}
}

// digits writes a number without an exponent, as the ledger wants it.
func digits(number string) string {
	if !strings.ContainsAny(number, "eE") {
		return number
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// list is a member that is a list of objects.
func (o object) list(name string) ([]object, error) {
	switch value := o[plain(name)].(type) {
	case nil:
		return nil, nil
	case []any:
		var all []object
		for i, one := range value {
			read, ok := one.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("venue: %s[%d] is not an object", name, i)
			}
			all = append(all, named(read))
		}
		return all, nil
	default:
		return nil, fmt.Errorf("venue: %s is not a list", name)
	}
}

// time is the first of the members that is there.
func (o object) time(names ...string) (*timestamppb.Timestamp, error) {
	for _, name := range names {
		text := o.text(name)
		if text == "" || text == "0" {
			continue
		}
		at, err := timeOf(text)
		if err != nil {
			return nil, fmt.Errorf("venue: %s: %w", name, err)
		}
		// A struct's time that was never set is of the year 1.
		if at.Year() >= 1970 {
			return timestamppb.New(at), nil
		}
	}
	return nil, nil
}

// timeOf reads a time in seconds, milliseconds, microseconds or nanoseconds since 1970,
// told apart by their size, or in RFC 3339.
func timeOf(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	count, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at, nil
		}
		return time.Time{}, fmt.Errorf("%q is neither seconds, milliseconds nor RFC 3339", text)
	}
	switch {
	case count < 100_000_000_000:
		nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		return time.Unix(count, nanos), err
	case count < 100_000_000_000_000:
		return time.UnixMilli(count), nil
	case count < 100_000_000_000_000_000:
		return time.UnixMicro(count), nil
	default:
		return time.Unix(0, count), nil
	}
}
