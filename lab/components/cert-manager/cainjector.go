package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	kscheme "k8s.io/client-go/kubernetes/scheme"
	cliflag "k8s.io/component-base/cli/flag"
	apireg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	configscheme "github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	_ "github.com/cert-manager/cert-manager/internal/cainjector/feature"
	versioned "github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	cmscheme "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

const certificates = "certificates.cert-manager.io"

func injectAuthorities(ctx context.Context, arguments []string) error {
	c, err := injectorConfiguration(arguments)
	if err != nil {
		return err
	}
	manager, err := injectorManager(c)
	if err != nil {
		return err
	}
	if c.EnableDataSourceConfig.Certificates {
		if err := waitForCertificates(ctx, manager); err != nil {
			return err
		}
	}
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace:                    c.Namespace,
		EnableCertificatesDataSource: c.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   c.EnableInjectableConfig.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: c.EnableInjectableConfig.ValidatingWebhookConfigurations,
			cainjector.APIServiceName:                     c.EnableInjectableConfig.APIServices,
			cainjector.CustomResourceDefinitionName:       c.EnableInjectableConfig.CustomResourceDefinitions,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

func injectorConfiguration(arguments []string) (*config.CAInjectorConfiguration, error) {
	scheme, _, err := configscheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	defaulted, c := &versioned.CAInjectorConfiguration{}, &config.CAInjectorConfiguration{}
	scheme.Default(defaulted)
	if err := scheme.Convert(defaulted, c, nil); err != nil {
		return nil, err
	}
	flags := pflag.NewFlagSet("cainjector", pflag.ContinueOnError)
	logf.AddFlags(&c.Logging, flags)
	flags.Var(cliflag.NewMapStringBool(&c.FeatureGates), "feature-gates", "")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "")
	election := &c.LeaderElectionConfig
	flags.StringVar(&election.Namespace, "leader-election-namespace", election.Namespace, "")
	flags.DurationVar(&election.LeaseDuration, "leader-election-lease-duration", election.LeaseDuration, "")
	flags.DurationVar(&election.RenewDeadline, "leader-election-renew-deadline", election.RenewDeadline, "")
	flags.DurationVar(&election.RetryPeriod, "leader-election-retry-period", election.RetryPeriod, "")
	return c, parse(flags, arguments, &c.Logging, &c.FeatureGates)
}

func injectorManager(c *config.CAInjectorConfiguration) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	added := errors.Join(
		kscheme.AddToScheme(scheme), cmscheme.AddToScheme(scheme), apiext.AddToScheme(scheme), apireg.AddToScheme(scheme),
	)
	if added != nil {
		return nil, added
	}
	access, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	election := c.LeaderElectionConfig
	return ctrl.NewManager(util.RestConfigWithUserAgent(access, "cainjector"), ctrl.Options{
		Scheme: scheme,
		Cache:  cache.Options{ReaderFailOnMissingInformer: true},
		// Secrets' metadata is watched, their content asked for when it is needed.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		LeaderElection:                election.Enabled,
		LeaderElectionNamespace:       election.Namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &election.LeaseDuration,
		RenewDeadline:                 &election.RenewDeadline,
		RetryPeriod:                   &election.RetryPeriod,
		Metrics:                       metricsserver.Options{BindAddress: c.MetricsListenAddress},
	})
}

// waitForCertificates returns when the API knows Certificates, which may be installed after the injector.
func waitForCertificates(ctx context.Context, manager ctrl.Manager) error {
	direct, err := client.New(manager.GetConfig(), client.Options{Scheme: manager.GetScheme(), Mapper: manager.GetRESTMapper()})
	if err != nil {
		return err
	}
	known := func(ctx context.Context) (bool, error) {
		err := direct.Get(ctx, types.NamespacedName{Name: certificates}, &apiext.CustomResourceDefinition{})
		return err == nil, client.IgnoreNotFound(err)
	}
	if err := wait.PollUntilContextTimeout(ctx, time.Second, 5*time.Minute, true, known); err != nil {
		return fmt.Errorf("waiting for the definition of %s: %w", certificates, err)
	}
	return nil
}
