"""Other packages at the same jobs, each by its own public names; none of them knows understudy."""
