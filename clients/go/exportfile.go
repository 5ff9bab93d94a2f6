package governance

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// A crash costs at most what came since then; syncing each message would cost more.
const checkpointEvery = time.Second

// exportState is where an export stands, in <file>.resume beside it until it is complete.
// It names only bytes that are on disk.
type exportState struct {
	Request     json.RawMessage `json:"request"`
	ResumeToken string          `json:"resume_token"`
	Bytes       int64           `json:"bytes"`
}

type exportFile struct {
	path        string
	request     json.RawMessage
	isResumed   bool
	resumeToken string
	bytes       int64
	file        *os.File
	checkpointT time.Time
}

// planExport looks at what is there. Nothing is touched before the first bytes come.
func planExport(path, kind string, request proto.Message) (*exportFile, error) {
	filters, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("governance: the request cannot be sent: %w", err)
	}
	described, err := json.Marshal(map[string]json.RawMessage{kind: filters})
	if err != nil {
		return nil, err
	}
	f := &exportFile{path: path, request: described}
	found, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("governance: %w", err)
	}
	text, stateErr := os.ReadFile(f.statePath())
	switch {
	case errors.Is(stateErr, fs.ErrNotExist) && found == nil:
		return f, nil
	case errors.Is(stateErr, fs.ErrNotExist):
		return nil, fmt.Errorf("governance: %s is complete, or not an export: %w", path, fs.ErrExist)
	case stateErr != nil:
		return nil, fmt.Errorf("governance: %w", stateErr)
	}
	var state exportState
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, fmt.Errorf("governance: %s is not the state of an export; remove it to start anew: %w", f.statePath(), err)
	}
	if !isSameJSON(state.Request, described) {
		return nil, fmt.Errorf("governance: %s was begun with other filters: %s", path, state.Request)
	}
	if found == nil && state.Bytes > 0 || found != nil && found.Size() < state.Bytes {
		return nil, fmt.Errorf("governance: %s is shorter than the %d bytes that %s says it has; remove both to start anew", path, state.Bytes, f.statePath())
	}
	f.isResumed, f.resumeToken, f.bytes = found != nil, state.ResumeToken, state.Bytes
	return f, nil
}

// isSameJSON compares values: protojson puts spaces where it likes.
func isSameJSON(a, b []byte) bool {
	var left, right any
	return json.Unmarshal(a, &left) == nil && json.Unmarshal(b, &right) == nil && reflect.DeepEqual(left, right)
}

func (f *exportFile) statePath() string { return f.path + ".resume" }

func (f *exportFile) begin() error {
	if f.file != nil {
		return nil
	}
	// Before the file is there: a file without a state is a complete one.
	if !f.isResumed {
		if err := f.writeState(exportState{Request: f.request}); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	f.file = file
	if err := file.Truncate(f.bytes); err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	_, err = file.Seek(f.bytes, io.SeekStart)
	return err
}

func (f *exportFile) write(jsonl []byte, resumeToken string) error {
	if err := f.begin(); err != nil {
		return err
	}
	if _, err := f.file.Write(jsonl); err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	f.bytes += int64(len(jsonl))
	f.resumeToken = resumeToken
	if time.Since(f.checkpointT) < checkpointEvery {
		return nil
	}
	return f.checkpoint()
}

// checkpoint makes sure that the next process can go on behind all that came.
func (f *exportFile) checkpoint() error {
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	f.checkpointT = time.Now()
	return f.writeState(exportState{f.request, f.resumeToken, f.bytes})
}

// chain is over the lines of the whole file, read back: h(0) is 32 zero bytes, h(n) the
// SHA-256 of h(n-1) and line n without its newline.
func (f *exportFile) chain() (lines int64, chain []byte, err error) {
	if err := f.begin(); err != nil {
		return 0, nil, err
	}
	file, err := os.Open(f.path)
	if err != nil {
		return 0, nil, fmt.Errorf("governance: %w", err)
	}
	defer func() { err = both(err, file.Close()) }()
	reader := bufio.NewReaderSize(file, 1<<20)
	chain = make([]byte, sha256.Size)
	line := sha256.New()
	line.Write(chain)
	for isOpen := false; ; {
		piece, err := reader.ReadSlice('\n')
		if len(piece) > 0 && piece[len(piece)-1] == '\n' {
			line.Write(piece[:len(piece)-1])
			chain = line.Sum(nil)
			line.Reset()
			line.Write(chain)
			lines++
			isOpen = false
		} else if len(piece) > 0 {
			line.Write(piece)
			isOpen = true
		}
		switch {
		case errors.Is(err, io.EOF) && isOpen:
			return lines, nil, nil
		case errors.Is(err, io.EOF):
			return lines, chain, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return 0, nil, fmt.Errorf("governance: %w", err)
		}
	}
}

// complete makes it a file without a state.
func (f *exportFile) complete() error {
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	if err := os.Remove(f.statePath()); err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	return syncFolder(filepath.Dir(f.path))
}

// discard lets the next export begin at the start.
func (f *exportFile) discard() error { return f.writeState(exportState{Request: f.request}) }

func (f *exportFile) close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// writeState puts the state in place of the last one, whole and on disk.
func (f *exportFile) writeState(state exportState) error {
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	next := f.statePath() + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(next, f.statePath())
	}
	if err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	return syncFolder(filepath.Dir(f.path))
}

// syncFolder makes renamed and removed names durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("governance: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
