package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"testing"
)

type vector struct {
	Name       string          `json:"name"`
	Hex        string          `json:"hex"`
	Frame      json.RawMessage `json:"frame"`
	Error      string          `json:"error"`
	DecodeOnly bool            `json:"decodeOnly"`
}

var typeNames = map[byte]string{
	tHello: "HELLO", tError: "ERROR", tAuth: "AUTH", tPeer: "PEER", tOpen: "OPEN", tWait: "WAIT", tRefuse: "REFUSE",
	tGo: "GO", tData: "DATA", tAck: "ACK", tStart: "START", tStarted: "STARTED", tResume: "RESUME", tSignal: "SIGNAL",
	tSignalled: "SIGNALLED", tExit: "EXIT", tBye: "BYE", tPing: "PING", tPong: "PONG", tClose: "CLOSE", tReady: "READY",
	tStage: "STAGE", tBlobs: "BLOBS", tSigned: "SIGNED", tStaged: "STAGED", tLogin: "LOGIN", tToken: "TOKEN", tHolds: "HOLDS", tCarried: "CARRIED", tCall: "CALL", tCalled: "CALLED",
}

func vectors(t testing.TB) []vector {
	text, err := os.ReadFile("../protocol/vectors/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) { runVector(t, v) })
	}
}

func runVector(t *testing.T, v vector) {
	raw, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	typ, body, err := newFrameReader(bytes.NewReader(raw)).next()
	var decoded any
	if err == nil {
		decoded, err = decode(typ, body)
	}
	if v.Error != "" {
		var fault *frameError
		if !errors.As(err, &fault) || fault.reason != v.Error {
			t.Fatalf("got %v, want %s", err, v.Error)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(v.Frame) == "null" {
		if decoded != nil {
			t.Fatalf("got %v, want it ignored", decoded)
		}
		return
	}
	if !reflect.DeepEqual(asMap(t, typ, decoded), mapOf(t, v.Frame)) {
		t.Fatalf("got %v, want %s", asMap(t, typ, decoded), v.Frame)
	}
	if v.DecodeOnly {
		return
	}
	if again := written(t, typ, decoded); !bytes.Equal(again, raw) {
		t.Fatalf("written as %q, want %q", again, raw)
	}
}

func written(t *testing.T, typ byte, decoded any) []byte {
	if d, ok := decoded.(dataBody); ok {
		frame := append(make([]byte, dataHeader), d.Data...)
		putDataHeader(frame, d.Channel, d.Offset, len(d.Data))
		return frame
	}
	frame, err := encode(typ, decoded)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func asMap(t *testing.T, typ byte, decoded any) map[string]any {
	if d, ok := decoded.(dataBody); ok {
		decoded = map[string]any{"channel": d.Channel, "offset": d.Offset, "data": hex.EncodeToString(d.Data)}
	}
	text, err := encodeJSON(decoded)
	if err != nil {
		t.Fatal(err)
	}
	m := mapOf(t, text)
	m["type"] = typeNames[typ]
	return m
}

func mapOf(t *testing.T, text []byte) map[string]any {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// What the reader makes of a frame must come out again as the same frame, and nothing may make it panic.
func FuzzFrames(f *testing.F) {
	for _, v := range vectors(f) {
		raw, _ := hex.DecodeString(v.Hex)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := newFrameReader(bytes.NewReader(raw))
		for {
			typ, body, err := r.next()
			if err == io.EOF {
				return
			}
			var fault *frameError
			if err != nil {
				if !errors.As(err, &fault) {
					t.Fatalf("an error without a reason: %v", err)
				}
				return
			}
			v, err := decode(typ, body)
			if err != nil {
				if !errors.As(err, &fault) {
					t.Fatalf("an error without a reason: %v", err)
				}
				continue
			}
			if v == nil {
				continue
			}
			if d, ok := v.(dataBody); ok {
				if len(d.Data) == 0 {
					t.Fatal("DATA without a byte")
				}
				continue
			}
			frame, err := encode(typ, v)
			if errors.As(err, &fault) && fault.reason == "too_long" {
				continue // escapes may grow
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := decode(typ, frame[5:])
			if err != nil || !reflect.DeepEqual(v, again) {
				t.Fatalf("%v became %v: %v", v, again, err)
			}
		}
	})
}
