"""What is wrong or doubtful in a data set: each finder looks for one thing and says it in a sentence."""
