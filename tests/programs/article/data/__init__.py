from data.dataset import MyDataset
