package main

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"testing"
)

func TestJSONValue(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	for text, want := range map[string]any{
		`null`: nil, `true`: true, `"a\nä"`: "a\nä", ` 5 `: int64(5), `-0`: int64(0),
		`9223372036854775807`: int64(math.MaxInt64), `-9223372036854775808`: int64(math.MinInt64),
		`9223372036854775808`: new(big.Int).SetUint64(1 << 63), `-123456789012345678901234567890`: huge,
		`1.0`: int64(1), `1e3`: int64(1000), `-2.5e1`: int64(-25), `1.5`: 1.5, `1e30`: 1e30, `9.3e18`: 9.3e18,
		`-9223372036854775808.0`: float64(math.MinInt64), `1e-400`: int64(0),
		`[1, 2.5, [3]]`:                  []any{int64(1), 2.5, []any{int64(3)}},
		`{"a":{"b":1},"c":[{}],"":null}`: map[string]any{"a": map[string]any{"b": int64(1)}, "c": []any{map[string]any{}}, "": nil},
	} {
		got, err := jsonValue(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %T %v, %v; want %T %v", text, got, got, err, want, want)
		}
	}
	for _, text := range []string{``, ` `, `{`, `[1`, `1 2`, `{} x`, `hello`, `'a'`, `01`, `.5`, `1e999`, `[1e999]`, `{"a":1e999}`, `NaN`, `"a`, `-`} {
		if got, err := jsonValue(text); err == nil {
			t.Errorf("%q is %T %v, want an error", text, got, got)
		}
	}
}

// What is JSON is read as encoding/json does, but for numbers, which have the same value.
func FuzzJSONValue(f *testing.F) {
	for _, text := range []string{`{"a":[1,2.5,null,"x"]}`, `1e3`, `9223372036854775808`, `tru`, `1e999`, `-0.0`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jsonValue(text)
		var want any
		if wantErr := json.Unmarshal([]byte(text), &want); (err == nil) != (wantErr == nil) {
			// Whole numbers may be larger than a float64 can be.
			if _, number := got.(*big.Int); err != nil || len(text) < 300 && !number {
				t.Fatalf("%q: %v, want %v", text, err, wantErr)
			}
			return
		}
		if err == nil && !same(got, want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	})
}

func same(a, b any) bool {
	switch a := a.(type) {
	case int64:
		f, ok := b.(float64)
		return ok && float64(a) == f
	case *big.Int:
		f, _ := new(big.Float).SetInt(a).Float64()
		return f == b
	case []any:
		list, ok := b.([]any)
		if !ok || len(a) != len(list) {
			return false
		}
		for i := range a {
			if !same(a[i], list[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for name := range a {
			if !same(a[name], m[name]) {
				return false
			}
		}
		return true
	}
	return a == b
}
