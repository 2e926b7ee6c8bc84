def delta1(pred, target, thresh=1.25):
    ratio = (pred / target).maximum(target / pred)
    return (ratio < thresh).float().mean()
