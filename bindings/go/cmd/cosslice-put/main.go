// cosslice-put uploads a file with a progress line. Ctrl-C stops it; the same command again continues.
//
//	cosslice-put FILE BUCKET/PATH
//
// The environment gives the rest: COSSLICE_APP_ID, COSSLICE_SECRET_ID, COSSLICE_SECRET_KEY, and COSSLICE_REGION or
// COSSLICE_ENDPOINT.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"cosslice"
)

func main() {
	bucket, path := "", ""
	if len(os.Args) == 3 {
		bucket, path, _ = strings.Cut(os.Args[2], "/")
	}
	if path == "" {
		fmt.Fprintln(os.Stderr, "usage: cosslice-put FILE BUCKET/PATH")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	url, err := put(ctx, os.Args[1], bucket, "/"+path)
	if err == nil {
		fmt.Println(url)
		return
	}
	fmt.Fprintln(os.Stderr, "cosslice-put:", err)
	var failure *cosslice.Error
	if errors.As(err, &failure) && failure.RequestID != "" {
		fmt.Fprintln(os.Stderr, "  request id:", failure.RequestID)
	}
	switch {
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case errors.Is(err, cosslice.ErrExists), errors.Is(err, cosslice.ErrConflict):
		os.Exit(3)
	}
	os.Exit(1)
}

func put(ctx context.Context, file, bucket, path string) (string, error) {
	config, err := cosslice.NewConfig(
		cosslice.AppID(os.Getenv("COSSLICE_APP_ID")),
		cosslice.Bucket(bucket),
		cosslice.Region(os.Getenv("COSSLICE_REGION")),
		cosslice.Endpoint(os.Getenv("COSSLICE_ENDPOINT")),
		cosslice.SecretID(os.Getenv("COSSLICE_SECRET_ID")),
		cosslice.SecretKey(os.Getenv("COSSLICE_SECRET_KEY")),
	)
	if err != nil {
		return "", err
	}
	defer config.Close()
	upload, err := config.NewUpload(path)
	if err != nil {
		return "", err
	}
	defer upload.Close()
	err = upload.OnProgress(func(now cosslice.Progress) {
		percent := uint64(100)
		if now.Total > 0 {
			percent = uint64(float64(now.Done) / float64(now.Total) * 100)
		}
		fmt.Fprintf(os.Stderr, "\r%-9s %3d %% of %d bytes", now.Phase, percent, now.Total)
	})
	if err != nil {
		return "", err
	}
	err = upload.File(ctx, file)
	fmt.Fprintln(os.Stderr)
	return upload.Text(cosslice.InfoAccessURL), err
}
