mod etcd;
mod existence;
mod platforms;
mod restores;
mod versions;
