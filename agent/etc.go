package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A bare uid has no name in an image, and no pod of the job has one either: whoami, ssh and MPI's launchers fail on it.
// So main has these files of ours mounted over the image's own. They must be there before main is, so the init
// container makes them; who the user is and which hosts the job has comes with START, so the keeper, under whose uid
// nothing of the job runs, writes them anew in place before main hears of it (a mount by subPath follows the
// file, not its name).

const (
	etcPasswd = "passwd"
	etcGroup  = "group"
	etcHosts  = "hosts"
)

// installEtc makes the files for a pod whose START has not come.
func installEtc(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		etcPasswd: passwdFile(nil), etcGroup: groupFile(nil), etcHosts: hostsFile(nil),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o644); err != nil { // whatever the umask is
			return err
		}
	}
	return nil
}

// writeEtc fills them in. A keeper without the directory is that of an older pod.
func writeEtc(dir string, start *startBody) error {
	if dir == "" {
		return nil
	}
	var hosts []hostBody
	if start.Team != nil {
		hosts = start.Team.Hosts
	}
	var faults []error
	for name, text := range map[string][]byte{
		etcPasswd: passwdFile(start), etcGroup: groupFile(start), etcHosts: hostsFile(hosts),
	} {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_TRUNC, 0)
		if err == nil {
			_, err = file.Write(text)
			err = errors.Join(err, file.Close())
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// field keeps what comes from a name service from ending its field or its line.
func field(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ':' || r == '\n' || r == '\r' || r == 0 {
			return '_'
		}
		return r
	}, text)
}

func passwdFile(start *startBody) []byte {
	lines := []string{"root:x:0:0:root:/root:/bin/sh"}
	if start != nil && start.User.UID != 0 && start.User.User != "" {
		u := start.User
		lines = append(lines, fmt.Sprintf("%s:x:%d:%d::%s:%s", field(u.User), u.UID, u.GID, field(u.Home), field(u.Shell)))
	}
	lines = append(lines, "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin", "")
	return []byte(strings.Join(lines, "\n"))
}

// groupFile names no members: whose groups they are, the kernel knows, and an entry with members would give them to
// whatever asks the file.
func groupFile(start *startBody) []byte {
	lines := []string{"root:x:0:"}
	if start != nil {
		for _, gid := range asSet64(append(start.Groups, start.User.GID)) {
			if name := start.Names[strconv.FormatInt(gid, 10)]; name != "" && gid != 0 && gid != 65534 {
				lines = append(lines, fmt.Sprintf("%s:x:%d:", field(name), gid))
			}
		}
	}
	lines = append(lines, "nogroup:x:65534:", "")
	return []byte(strings.Join(lines, "\n"))
}

func asSet64(numbers []int64) []int64 {
	sorted := slices.Sorted(slices.Values(numbers))
	return slices.Compact(sorted)
}

func hostsFile(hosts []hostBody) []byte {
	lines := []string{"127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"}
	for _, h := range hosts {
		if !strings.ContainsAny(h.Name+h.Address, " \t\n#") {
			lines = append(lines, h.Address+" "+h.Name)
		}
	}
	return []byte(strings.Join(append(lines, ""), "\n"))
}
