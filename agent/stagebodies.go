package main

// Section 12 of the protocol: data that lie under no mount of the pod, carried through an object store.

// Ways of a STAGE.
const (
	wayIn   = "send"  // what lies here goes to the store
	wayOut  = "fetch" // what the store has comes here
	wayNone = "end"   // nothing more is asked
)

// blobBody is a content by its SHA-256.
type blobBody struct {
	Sha256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// rankBlob is one node's.
type rankBlob struct {
	Rank   int64  `json:"rank"`
	Sha256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

func (b rankBlob) blob() blobBody { return blobBody{b.Sha256, b.Size} }

type stageBody struct {
	ID       string    `json:"id"`
	Way      string    `json:"way"`
	Paths    []bytes64 `json:"paths"`
	Manifest *blobBody `json:"manifest,omitempty"`
	// Others are the lists of a job's other nodes, in order of rank; Manifest is that of rank 0.
	Others []rankBlob `json:"others,omitempty"`
	// Strict: a file that cannot be sent fails all of it; else it is told of, and left out.
	Strict bool `json:"strict,omitempty"`
	// PartBytes: what is longer is sent in parts of that size; 0: the gateway knows none.
	PartBytes int64 `json:"partBytes,omitempty"`
	// Mark is in the names of what is made beside the user's files.
	Mark  string `json:"mark"`
	JobID int64  `json:"jobId"`
	// SinceMs: what was written here later is the user's, and is not overwritten.
	SinceMs int64    `json:"sinceMs"`
	Say     []string `json:"say"`
	Roots   string   `json:"roots,omitempty"`
}

// askedBlob is a content, or one part of it.
type askedBlob struct {
	Sha256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Parts: it is to be sent in so many.
	Parts int64     `json:"parts,omitempty"`
	Part  *partBody `json:"part,omitempty"`
}

// partBody is one part, counted from 1.
type partBody struct {
	Number int64  `json:"number"`
	Sha256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// blobsBody asks for URLs; asked again under the same number it is the same question.
type blobsBody struct {
	ID     string      `json:"id"`
	N      int64       `json:"n"`
	Method string      `json:"method"`
	Blobs  []askedBlob `json:"blobs"`
	// List: it is the order's manifest, which does not count among what the job carries.
	List bool `json:"list,omitempty"`
}

// signedBlob is one answer: there already, refused with a reason, or a URL.
type signedBlob struct {
	Sha256 string `json:"sha256"`
	There  bool   `json:"there,omitempty"`
	// InParts: it is not there whole; its parts are to be asked for.
	InParts bool              `json:"inParts,omitempty"`
	Refused string            `json:"refused,omitempty"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

type signedBody struct {
	ID    string       `json:"id"`
	N     int64        `json:"n"`
	Blobs []signedBlob `json:"blobs"`
}

// stagedBody is the end of an order; with Fault it was not done, and why.
type stagedBody struct {
	ID       string    `json:"id"`
	Fault    string    `json:"fault,omitempty"`
	Manifest *blobBody `json:"manifest,omitempty"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Told     []string  `json:"told"`
}

// carriedBody says how far an order came: bytes that were read or carried, whatever was begun anew.
type carriedBody struct {
	ID    string `json:"id"`
	Bytes int64  `json:"bytes"`
}

func stageBreach(v any) string {
	switch b := v.(type) {
	case *stageBody:
		why := first(
			check(b.ID != "", "no id"), check(b.Way == wayIn || b.Way == wayOut || b.Way == wayNone, "way"),
			check(isToken(b.Mark), "mark"), check(isOffset(b.JobID) && isOffset(b.SinceMs) && isOffset(b.PartBytes), "negative number"),
			check(b.Way != wayOut || len(b.lists()) > 0, "no manifest"))
		for _, list := range b.lists() {
			why = first(why, check(isOffset(list.Rank), "rank"), blobBreach(list.blob()))
		}
		return why
	case *blobsBody:
		why := first(check(b.ID != "", "no id"), check(isOffset(b.N), "n"), check(b.Method == "get" || b.Method == "put" || b.Method == "join", "method"))
		for _, blob := range b.Blobs {
			why = first(why, blobBreach(blobBody{blob.Sha256, blob.Size}), check(blob.Parts >= 0 && blob.Parts <= mostParts, "parts"))
			if part := blob.Part; part != nil {
				why = first(why, blobBreach(blobBody{part.Sha256, part.Size}), check(part.Number >= 1 && part.Number <= mostParts, "part"))
			}
		}
		return why
	case *signedBody:
		why := first(check(b.ID != "", "no id"), check(isOffset(b.N), "n"))
		for _, blob := range b.Blobs {
			why = first(why, check(isHex(blob.Sha256, 64), "sha256"))
		}
		return why
	case *carriedBody:
		return first(check(b.ID != "", "no id"), check(isOffset(b.Bytes), "bytes"))
	case *stagedBody:
		why := first(check(b.ID != "", "no id"), check(isOffset(b.Files) && isOffset(b.Bytes), "negative number"))
		if b.Manifest != nil {
			why = first(why, blobBreach(*b.Manifest))
		}
		return why
	}
	return ""
}

// lists are all that is to be fetched.
func (b *stageBody) lists() []rankBlob {
	if b.Manifest == nil {
		return b.Others
	}
	return append([]rankBlob{{0, b.Manifest.Sha256, b.Manifest.Size}}, b.Others...)
}

func blobBreach(b blobBody) string {
	return first(check(isHex(b.Sha256, 64), "sha256"), check(isOffset(b.Size), "size"))
}

// isToken: letters, digits and dashes, so that it can stand in a file's name.
func isToken(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
