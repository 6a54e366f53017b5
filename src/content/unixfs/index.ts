export { UnixFsFile } from "./content-file.ts";
export { entries, lookup, type NamedLink } from "./directory.ts";
export { type Leaf, type LeafRange, readLeaves } from "./leaf-reader.ts";
export { type DirectoryNode, type FileNode, MURMUR3, type UnixFsNode } from "./node.ts";
export { type BlockOptions, type BlockSource, NodeCache } from "./node-cache.ts";
