"""Problems in a data set: each finder looks for one kind of problem and describes it in one sentence."""
