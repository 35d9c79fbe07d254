//go:build !amd64 && !arm64

package main

const sysMemfdCreate, sysRenameat2 = 0, 0
