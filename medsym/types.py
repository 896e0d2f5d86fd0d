"""The axis legend and every array type of medsym; shapes are checked at run time in tests only.

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
from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Num
from torch import Tensor

PathLikeString = str | PathLike[str]

# numpy: volumes as they are read, written and prepared
VoxelArray = Num[np.ndarray, "x y z"]
ImageArray = Float[np.ndarray, "x y z"]
ScanArray = Float32[np.ndarray, "x y z"]
LabelArray = Int[np.ndarray, "x y z"]
LabelMapArray = Int32[np.ndarray, "x y z"]
MaskArray = Bool[np.ndarray, "x y z"]
AffineMatrix = Float64[np.ndarray, "4 4"]
Matrix3 = Float64[np.ndarray, "3 3"]
Vector3 = Float64[np.ndarray, "3"]
Points = Float64[np.ndarray, "n 3"]

# torch: what networks take and give
ImageBatch = Float[Tensor, "b c x y z"]
LabelBatch = Int[Tensor, "b x y z"]
MaskBatch = Bool[Tensor, "b c x y z"]
ImageTensor = Float[Tensor, "x y z"]
