package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// fetching brings what a manifest says to where it was.
type fetching struct {
	order *stageBody
	*carrier
	told  *lines
	files int64
	bytes int64
	made  int64 // names of what is not whole yet
	// sync: what is acknowledged must be on the disk.
	sync  bool
	roots []*fetchRoot
	// rank is whose list is being fetched, taken which of them made what has a name by now; nil for one list.
	rank  int64
	taken *names
	// brought has what came here under its own name; nil where nobody asks.
	brought *names
}

// fetchRoot is one of the paths: the directory, or the one that the file lies in.
type fetchRoot struct {
	path string
	dir  *folder
	temp *folder
	// base is the file's name, "" of a directory.
	base string
	// folders were made here: they get their mode once what is in them is there.
	folders []*entry
}

// target is where one entry goes.
func (r *fetchRoot) target(e *entry) (dir *folder, name string, err error) {
	parts, err := e.parts()
	if err != nil {
		return nil, "", err
	}
	if len(parts) == 0 {
		if r.base == "" {
			return nil, "", errors.New("the manifest has a file where it has a directory")
		}
		dir, err = r.dir.descend(nil)
		return dir, r.base, err
	}
	if r.base != "" {
		return nil, "", errors.New("the manifest has something below a file")
	}
	dir, err = r.dir.descend(parts[:len(parts)-1])
	return dir, parts[len(parts)-1], err
}

func (f *fetching) run(ctx context.Context) error {
	f.roots = make([]*fetchRoot, len(f.order.Paths))
	defer f.close()
	lists := f.order.lists()
	if len(lists) > 1 {
		f.taken = newNames()
	}
	for _, list := range lists {
		f.rank = list.Rank
		if err := f.list(ctx, list.blob()); err != nil {
			// What was made is its owner's to go into, and the next try's.
			f.settle(0o700)
			return err
		}
	}
	return f.settle(0)
}

// list brings what one manifest names.
func (f *fetching) list(ctx context.Context, blob blobBody) error {
	m := newManifest(!f.sync)
	defer m.file.Close()
	if blob.Size > maxManifest {
		return errors.New("the manifest is longer than any that this version writes")
	}
	if err := f.get(ctx, m.file, blob); err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	var waiting []*entry
	flush := func() error {
		faults := make([]error, len(waiting))
		each(len(waiting), func(i int) { faults[i] = f.file(ctx, waiting[i]) })
		for i, e := range waiting {
			if faults[i] != nil {
				return f.at(e, faults[i])
			}
			f.done(e)
			f.files++
			f.bytes += e.Size
		}
		waiting = nil
		return ctx.Err()
	}
	err := m.each(len(f.order.Paths), func(e *entry) error {
		if err := f.root(e); err != nil {
			return f.at(e, err)
		}
		switch e.Type {
		case "d":
			return f.at(e, f.folder(e))
		case "l":
			err := f.link(e)
			f.done(e)
			return f.at(e, err)
		case "f":
			if waiting = append(waiting, e); len(waiting) >= batch {
				return flush()
			}
			return nil
		}
		return fmt.Errorf("the manifest has an entry of type %q", e.Type)
	})
	if err == nil {
		err = flush()
	}
	return err
}

// done: its name is this node's now, or was another's already.
func (f *fetching) done(e *entry) { f.taken.note(f.rank, f.where(e)) }

func (f *fetching) where(e *entry) string { return e.join(string(f.order.Paths[e.Root])) }

func (f *fetching) at(e *entry, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", shown(f.where(e)), plain(err))
}

// root opens a path at its first entry, which is the path itself; what leads to it is made as the user would.
func (f *fetching) root(e *entry) error {
	if f.roots[e.Root] != nil {
		return nil
	}
	path := string(f.order.Paths[e.Root])
	if len(e.Path) > 0 || e.Type == "l" {
		return errors.New("the manifest begins below the path")
	}
	r := &fetchRoot{path: path}
	folder := path
	if e.Type == "f" {
		folder, r.base = filepath.Dir(path), filepath.Base(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if e.Type == "d" {
		if err := os.Mkdir(path, 0o700); err == nil {
			r.folders = append(r.folders, e)
		} else if !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	var err error
	if r.dir, err = openFolder(folder); err != nil {
		return err
	}
	f.roots[e.Root] = r
	return nil
}

// tempIn makes the directory of its own in which nothing is whole yet; on the same file system, so that it can be moved into place.
func (f *fetching) tempIn(r *fetchRoot) (*folder, error) {
	f.told.mu.Lock()
	defer f.told.mu.Unlock()
	if r.temp != nil {
		return r.temp, nil
	}
	name := ours + f.order.Mark
	if err := os.Mkdir(r.dir.at(name), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	temp, err := r.dir.sub(name)
	if err != nil {
		return nil, err
	}
	// Somebody else who may write here could have made it, and would choose what is put into place.
	info, err := temp.Stat()
	if err == nil {
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != os.Geteuid() || info.Mode().Perm() != 0o700 {
			err = fmt.Errorf("%s is there and not of this user alone: remove it", shown(name))
		}
	}
	if err != nil {
		temp.Close()
		return nil, err
	}
	r.temp = temp
	return temp, nil
}

func (f *fetching) close() {
	for _, r := range f.roots {
		if r == nil {
			continue
		}
		if r.temp != nil {
			names, _ := r.temp.Readdirnames(-1)
			for _, name := range names {
				syscall.Unlinkat(int(r.temp.Fd()), name)
			}
			r.temp.Close()
			os.Remove(r.dir.at(ours + f.order.Mark))
		}
		r.dir.Close()
	}
}

func (f *fetching) folder(e *entry) error {
	r := f.roots[e.Root]
	if len(e.Path) == 0 {
		return nil
	}
	dir, name, err := r.target(e)
	if err != nil {
		return err
	}
	defer dir.Close()
	switch err := os.Mkdir(dir.at(name), 0o700); {
	case err == nil:
		r.folders = append(r.folders, e)
		return nil
	case !errors.Is(err, os.ErrExist):
		return err
	}
	there, err := dir.sub(name)
	if err != nil {
		return errors.New("is there and is no directory")
	}
	return there.Close()
}

// fresh is a name that nothing else has.
func (f *fetching) fresh() string {
	f.told.mu.Lock()
	defer f.told.mu.Unlock()
	f.made++
	return fmt.Sprint(f.made)
}

func (f *fetching) link(e *entry) error {
	r := f.roots[e.Root]
	dir, name, err := r.target(e)
	if err != nil {
		return err
	}
	defer dir.Close()
	if to, err := os.Readlink(dir.at(name)); err == nil && to == string(e.To) {
		f.brought.note(0, f.where(e), e.content())
		return nil
	}
	temp, err := f.tempIn(r)
	if err != nil {
		return err
	}
	made := f.fresh()
	syscall.Unlinkat(int(temp.Fd()), made) // of a try before
	if err := os.Symlink(string(e.To), temp.at(made)); err != nil {
		return err
	}
	return f.place(temp, made, dir, name, e)
}

func (f *fetching) file(ctx context.Context, e *entry) error {
	r := f.roots[e.Root]
	dir, name, err := r.target(e)
	if err != nil {
		return err
	}
	defer dir.Close()
	if same(dir, name, e) {
		f.brought.note(0, f.where(e), e.content())
		return nil
	}
	temp, err := f.tempIn(r)
	if err != nil {
		return err
	}
	made := f.fresh()
	syscall.Unlinkat(int(temp.Fd()), made) // of a try before
	file, err := temp.open(made, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL)
	if err != nil {
		return err
	}
	defer file.Close()
	err = f.get(ctx, file, blobBody{e.Sum, e.Size})
	if err == nil {
		err = file.Chmod(os.FileMode(e.Mode & 0o777))
	}
	if err == nil {
		err = setTime(file, e.Time)
	}
	if err == nil && f.sync {
		err = file.Sync()
	}
	if err == nil {
		err = f.place(temp, made, dir, name, e)
	}
	syscall.Unlinkat(int(temp.Fd()), made) // where it is not in place
	return err
}

// settle gives the directories that were made their modes, with `also`, and times, the innermost first.
func (f *fetching) settle(also os.FileMode) error {
	for _, r := range f.roots {
		if r == nil {
			continue
		}
		for _, e := range slices.Backward(r.folders) {
			parts, err := e.parts()
			if err != nil {
				return err
			}
			dir, err := r.dir.descend(parts)
			if err != nil {
				return f.at(e, err)
			}
			err = f.settleFolder(dir, e, also)
			dir.Close()
			if err != nil {
				return f.at(e, err)
			}
		}
		if f.sync {
			if err := r.dir.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fetching) settleFolder(dir *folder, e *entry, also os.FileMode) error {
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	// A directory may have its group from the one above it.
	if err := dir.Chmod(os.FileMode(e.Mode&0o777) | also | info.Mode()&os.ModeSetgid); err != nil {
		return err
	}
	if f.sync {
		if err := dir.Sync(); err != nil {
			return err
		}
	}
	return setTime(dir.File, e.Time)
}
