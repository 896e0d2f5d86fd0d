"""The axis legend and the types of medsym's arrays; shapes are checked at run time in tests only.

Axis legend (a letter means the same everywhere):

    b        batch
    c        channel
    x y z    spatial axes. In a file: voxel axes in stored order. On the symmetric grid: x grows
             to the patient's right, y to the front (anterior), z to the head (superior).
    n        any number of points

Affines are float64, 4 x 4, and map homogeneous voxel indices to world millimetres. World axes are
the ones of NIfTI: +x patient's right, +y anterior, +z superior (RAS+).
"""

from os import PathLike

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Num

PathLikeString = str | PathLike[str]

# volumes as they are read, written and prepared
VoxelArray = Num[np.ndarray, "x y z"]
ScanArray = Float32[np.ndarray, "x y z"]
LabelMapArray = Int32[np.ndarray, "x y z"]
MaskArray = Bool[np.ndarray, "x y z"]
AffineMatrix = Float64[np.ndarray, "4 4"]
Matrix3 = Float64[np.ndarray, "3 3"]
Vector3 = Float64[np.ndarray, "3"]
Points = Float64[np.ndarray, "n 3"]
