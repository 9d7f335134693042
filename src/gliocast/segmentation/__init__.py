"""The tumor in the scans: network, losses, training images, whole patients, measures."""
