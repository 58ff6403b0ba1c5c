mod etcd;
mod existence;
mod platforms;
mod versions;
