print("procctl")
