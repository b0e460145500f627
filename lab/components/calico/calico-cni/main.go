// calico-cni is Calico's CNI plugin, its IPAM plugin and their installer in one file, chosen by the name it is called by.
// Upstream ships the installer as a second binary of the same code; fourteen nodes unpack this one instead of both.
package main

import (
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"github.com/projectcalico/calico/cni-plugin/pkg/install"
	"github.com/projectcalico/calico/cni-plugin/pkg/ipamplugin"
	"github.com/projectcalico/calico/cni-plugin/pkg/plugin"
)

// VERSION is set at link time.
var VERSION string

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "calico":
		plugin.Main(VERSION)
	case "calico-ipam":
		ipamplugin.Main(VERSION)
	case "install":
		if err := install.Install(VERSION); err != nil {
			logrus.WithError(err).Fatal("Error installing CNI plugin")
		}
	default:
		logrus.Fatalf("called as %q, expected calico, calico-ipam or install", name)
	}
}
