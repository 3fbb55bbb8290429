from stages import lasting_stage, stage

__all__ = ["lasting_stage", "stage"]
