package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

const protocolVersion = 1

func newNonce() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails: it ends the process instead
	return hex.EncodeToString(raw[:])
}

// speaks says whether the other's versions and ours have one in common.
func speaks(v []int) bool { return slices.Contains(v, protocolVersion) }

// authMac is section 3: what a side that holds the burst's key can say about both nonces.
func authMac(key []byte, role, own, other string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(role + "\n" + own + "\n" + other))
	return hex.EncodeToString(h.Sum(nil))
}

// epochs remembers the highest leader's epoch; an older leader is to be refused.
type epochs struct{ highest int64 }

func (e *epochs) accept(epoch int64) bool {
	if epoch < e.highest {
		return false
	}
	e.highest = epoch
	return true
}
