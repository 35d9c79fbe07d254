package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// openTerminal is a pipe whose writing end is a terminal: a C library writes to one line by line, where it keeps some
// kilobytes back from a pipe. As slurmstepd's it changes no byte on its way, and is nobody's controlling terminal. Reading
// ends by EIO. Where a pod has no terminals it is a pipe.
func openTerminal() (reader, writer *os.File, err error) {
	ours, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return os.Pipe()
	}
	theirs, err := otherEnd(ours)
	if err != nil {
		syscall.Close(ours)
		return os.Pipe()
	}
	syscall.SetNonblock(ours, true) // it is polled: no thread waits for it
	return os.NewFile(uintptr(ours), "terminal"), os.NewFile(uintptr(theirs), "terminal"), nil
}

func otherEnd(ours int) (int, error) {
	var locked, number int32
	if err := control(ours, syscall.TIOCSPTLCK, unsafe.Pointer(&locked)); err != nil {
		return -1, err
	}
	if err := control(ours, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return -1, err
	}
	theirs, err := syscall.Open(fmt.Sprintf("/dev/pts/%d", number), syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var settings syscall.Termios
	if err = control(theirs, syscall.TCGETS, unsafe.Pointer(&settings)); err == nil {
		settings.Oflag &^= syscall.OPOST
		err = control(theirs, syscall.TCSETS, unsafe.Pointer(&settings))
	}
	if err != nil {
		syscall.Close(theirs)
	}
	return theirs, err
}

func control(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
