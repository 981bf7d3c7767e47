// The S3 server that the tests of the archive store sound in: versitygw's own gateway over a folder, as its `versitygw posix`
// starts it, with the same options and defaults. What that command could do besides (Azure, proxies, its makers' tests) is
// half of its building, and isn't built.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const usage = `usage: [--quiet] [--port HOST:PORT] [--iam-dir FOLDER] posix --sidecar FOLDER FOLDER
       admin --access KEY --secret SECRET --endpoint-url URL create-user --access KEY --secret SECRET --role ROLE`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	options := flag.NewFlagSet("versitygw", flag.ContinueOnError)
	quiet := options.Bool("quiet", false, "")
	port := options.String("port", ":7070", "")
	users := options.String("iam-dir", "", "")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	switch options.Arg(0) {
	case "posix":
		return serve(*quiet, *port, *users, options.Args()[1:])
	case "admin":
		return admin(options.Args()[1:])
	}
	return errors.New(usage)
}

func serve(quiet bool, port, users string, arguments []string) error {
	options := flag.NewFlagSet("posix", flag.ContinueOnError)
	sidecar := options.String("sidecar", "", "")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	if *sidecar == "" || options.NArg() != 1 {
		return errors.New(usage)
	}
	metadata, err := meta.NewSideCar(*sidecar)
	if err != nil {
		return err
	}
	folder, err := posix.New(options.Arg(0), metadata, posix.PosixOpts{
		SideCarDir:          *sidecar,
		Concurrency:         5000,
		IOBufferSize:        1 << 20,
		CopyObjectThreshold: 5 << 30,
	})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(context.Background(), folder, &embedgw.Config{
		RootUserAccess:    os.Getenv("ROOT_ACCESS_KEY"),
		RootUserSecret:    os.Getenv("ROOT_SECRET_KEY"),
		Ports:             []string{port},
		MaxConnections:    250_000,
		MaxRequests:       100_000,
		MultipartMaxParts: 10_000,
		Quiet:             quiet,
		IAMDir:            users,
		IAMCacheTTL:       120,
		IAMCachePrune:     3600,
	})
}

// As `versitygw admin … create-user` asks the server for it.
func admin(arguments []string) error {
	options := flag.NewFlagSet("admin", flag.ContinueOnError)
	access, secret := options.String("access", "", ""), options.String("secret", "", "")
	endpoint := options.String("endpoint-url", "", "")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	if options.Arg(0) != "create-user" {
		return errors.New(usage)
	}
	user := flag.NewFlagSet("create-user", flag.ContinueOnError)
	account := auth.Account{}
	user.StringVar(&account.Access, "access", "", "")
	user.StringVar(&account.Secret, "secret", "", "")
	user.StringVar((*string)(&account.Role), "role", "", "")
	if err := user.Parse(options.Args()[1:]); err != nil {
		return err
	}
	body, err := xml.Marshal(account)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPatch, *endpoint+"/create-user", bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	credentials := aws.Credentials{AccessKeyID: *access, SecretAccessKey: *secret}
	if err := v4.NewSigner().SignHTTP(request.Context(), credentials, request, hash, "s3", "us-east-1", time.Now()); err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		said, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("%s: %s", answer.Status, said)
	}
	return nil
}
