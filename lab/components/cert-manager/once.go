package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
)

// solveChallenge answers one ACME HTTP-01 challenge until it is stopped.
func solveChallenge(ctx context.Context, arguments []string) error {
	challenge := &solver.HTTP01Solver{}
	flags := pflag.NewFlagSet("acmesolver", pflag.ContinueOnError)
	flags.IntVar(&challenge.ListenPort, "listen-port", 8089, "")
	flags.StringVar(&challenge.Domain, "domain", "", "")
	flags.StringVar(&challenge.Token, "token", "", "")
	flags.StringVar(&challenge.Key, "key", "", "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = challenge.Close() })
	err := challenge.Listen(logf.FromContext(ctx, "acmesolver"))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// checkAPI waits until definitions and webhook accept a request: `check api --wait=1m`.
func checkAPI(ctx context.Context, arguments []string) error {
	var patience time.Duration
	flags := pflag.NewFlagSet("startupapicheck", pflag.ContinueOnError)
	flags.DurationVar(&patience, "wait", 0, "")
	flags.CountP("verbose", "v", "")
	// Its role lets it try a request in its own namespace only.
	namespace := flags.StringP("namespace", "n", os.Getenv("POD_NAMESPACE"), "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	access, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	checker, err := cmapichecker.New(access, *namespace)
	if err != nil {
		return err
	}
	var problem error
	ready := func(ctx context.Context) (bool, error) {
		problem = checker.Check(ctx)
		return problem == nil, nil
	}
	if err := wait.PollUntilContextTimeout(ctx, 5*time.Second, max(patience, time.Second), true, ready); err != nil {
		return fmt.Errorf("cert-manager's API is not ready: %w (%w)", problem, err)
	}
	return nil
}
