mod etcd;
mod existence;
mod groups;
mod platforms;
mod restores;
mod versions;
