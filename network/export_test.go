package network

// What tests of the package's outside need of its inside.
var (
	Unbundle = unbundle
	Bundled  = bundled
)

const (
	BundleMark  = bundleMark
	BundleBytes = bundleBytes
	BundleParts = bundleParts
)
