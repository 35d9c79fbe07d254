//go:build amd64 || arm64

package startlimits

//go:noescape
func getNoFile(limit *[2]uint64) bool
