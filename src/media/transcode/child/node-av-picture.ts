import {
  AV_BUFFERSRC_FLAG_KEEP_REF,
  AV_PIX_FMT_YUV420P,
  type AVPixelFormat,
  SWS_BILINEAR,
} from "node-av/constants";
import {
  FFmpegError,
  Filter,
  type FilterContext,
  FilterGraph,
  Frame,
  SoftwareScaleContext,
} from "node-av/lib";
import type { VideoJobSpec } from "../protocol.ts";
import { turnFilters } from "../turn.ts";

type Shape = Pick<VideoJobSpec, "width" | "height" | "rotation" | "mirrored">;

/** Brings decoded pictures into the size, format and position in which they are encoded. */
export class PictureFitter {
  /** Size before turning. */
  readonly #width: number;
  readonly #height: number;
  readonly #scaled = new Frame();
  readonly #turn: Turn | undefined;
  #scaler: { readonly context: SoftwareScaleContext; readonly format: string } | undefined;

  constructor(shape: Shape) {
    const { width, height, rotation } = shape;
    const lying = rotation === 90 || rotation === 270;
    this.#width = lying ? height : width;
    this.#height = lying ? width : height;
    this.#scaled.alloc();
    const filters = turnFilters(shape);
    if (filters !== undefined) this.#turn = new Turn(this.#width, this.#height, filters);
  }

  /** The picture as it is encoded: `frame` itself where nothing has to be done. Valid until the next call. */
  fit(frame: Frame): Frame {
    const scaled = this.#scale(frame);
    return this.#turn?.apply(scaled) ?? scaled;
  }

  close(): void {
    this.#scaled.free();
    this.#scaler?.context.freeContext();
    this.#turn?.close();
  }

  #scale(frame: Frame): Frame {
    const [width, height] = [this.#width, this.#height];
    // A video frame's format is a pixel format.
    const format = frame.format as AVPixelFormat;
    if (format === AV_PIX_FMT_YUV420P && frame.width === width && frame.height === height) return frame;
    const name = `${frame.width}x${frame.height}:${format}`;
    if (this.#scaler?.format !== name) {
      this.#scaler?.context.freeContext();
      const context = new SoftwareScaleContext();
      context.getContext(frame.width, frame.height, format, width, height, AV_PIX_FMT_YUV420P, SWS_BILINEAR);
      this.#scaler = { context, format: name };
    }
    this.#scaled.unref();
    this.#scaled.width = width;
    this.#scaled.height = height;
    this.#scaled.format = AV_PIX_FMT_YUV420P;
    FFmpegError.throwIfError(this.#scaled.getBuffer(), "make room for a picture");
    FFmpegError.throwIfError(this.#scaler.context.scaleFrameSync(this.#scaled, frame), "scale a picture");
    return this.#scaled;
  }
}

/** Turns pictures of one size. */
class Turn {
  readonly #graph = new FilterGraph();
  readonly #source: FilterContext;
  readonly #sink: FilterContext;
  readonly #turned = new Frame();

  constructor(width: number, height: number, filters: readonly string[]) {
    this.#turned.alloc();
    this.#graph.alloc();
    const size = `video_size=${width}x${height}:pix_fmt=${AV_PIX_FMT_YUV420P}`;
    this.#source = this.#add("buffer", `${size}:time_base=1/1000000:pixel_aspect=1/1`);
    let last = this.#source;
    for (const filter of filters) {
      const [name = "", options] = filter.split("=");
      last = this.#follow(last, this.#add(name, options));
    }
    this.#sink = this.#follow(last, this.#add("buffersink"));
    FFmpegError.throwIfError(this.#graph.configSync(), "set up turning");
  }

  apply(frame: Frame): Frame {
    const added = this.#source.buffersrcAddFrameSync(frame, AV_BUFFERSRC_FLAG_KEEP_REF);
    FFmpegError.throwIfError(added, "turn a picture");
    this.#turned.unref();
    FFmpegError.throwIfError(this.#sink.buffersinkGetFrameSync(this.#turned), "turn a picture");
    return this.#turned;
  }

  close(): void {
    this.#turned.free();
    this.#graph.free();
  }

  #add(name: string, options: string | null = null): FilterContext {
    const filter = Filter.getByName(name);
    const context = filter === null ? null : this.#graph.createFilter(filter, name, options);
    if (context === null) throw new Error(`The encoder was built without the filter ${name}`);
    return context;
  }

  #follow(before: FilterContext, after: FilterContext): FilterContext {
    FFmpegError.throwIfError(before.link(0, after, 0), "join filters");
    return after;
  }
}
