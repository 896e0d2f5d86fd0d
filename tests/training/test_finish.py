"""The manifest of a model repeats its configuration without naming folders of a machine."""

from pathlib import Path

from medsym.training.finish import portable
from medsym.training.settings import TrainSettings


def test_no_folder_of_the_machine_is_written_down() -> None:
    settings = TrainSettings.model_validate(
        {
            "name": "a",
            "start_from": "/home/somebody/runs/first/model",
            "synthesis": {
                "source": {
                    "label_maps": "/home/somebody/maps",
                    "train_subjects": ["one"],
                    "lesion_folders": ["/home/somebody/lesions/soop"],
                    "cache": "/home/somebody/cache",
                }
            },
        }
    )
    content = portable(settings)
    assert "somebody" not in str(content)
    assert content["start_from"] == str(Path("first/model"))
