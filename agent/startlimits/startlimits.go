// Package startlimits remembers the limit of open files that this process was started with.
//
// Go's package syscall raises the soft limit to the hard one in its init, before anyone can look, but a job
// must get the limit that its user had. Packages without imports are initialised first among equals in the
// order of their paths, and "spill/startlimits" sorts before "syscall"; so this package imports nothing and
// asks the kernel itself.
package startlimits

// NoFile is {soft, hard} as at exec; Known is false where this architecture has no way to ask.
var (
	NoFile [2]uint64
	Known  bool
)

func init() { Known = getNoFile(&NoFile) }
