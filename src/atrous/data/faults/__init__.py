"""Each way in which a data set is wrong without anybody noticing: how it is found, and how it is mended."""
