"""Certificates: proved bounds on the defect of layers and networks, for every weight and input.

They are exact for a layer and vacuous beyond about three convolutions: they rank the layers of a
network and are never shown to a reader of scans.
"""

from medsym.symmetry.certificates.certify import NetworkCertificate, certify
from medsym.symmetry.certificates.layer import LayerCertificate, layer_certificates
from medsym.symmetry.certificates.stability import softness_stability

__all__ = [
    "LayerCertificate",
    "NetworkCertificate",
    "certify",
    "layer_certificates",
    "softness_stability",
]
