"""Lists pydicom's test files: path, transfer syntax, study, one a line, tabs between them."""

import os
import warnings

import pydicom
from pydicom.data import get_testdata_file

warnings.simplefilter("ignore")
folder = os.path.dirname(get_testdata_file("CT_small.dcm"))
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    if not name.endswith(".dcm"):
        continue
    syntax = study = ""
    try:
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        study = str(dataset.get("StudyInstanceUID", ""))
    except Exception:  # Damaged on purpose: the peers say what they make of it.
        pass
    print(path, syntax, study, sep="\t")
