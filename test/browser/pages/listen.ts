/** Resolves to the loudness (root mean square, 0 to 1) of what the player plays, as soon as it is above `threshold`. */
async function listen(threshold: number): Promise<number> {
  const video = document.querySelector("cid-player")?.shadowRoot?.querySelector("video");
  if (!(video?.srcObject instanceof MediaStream)) throw new Error("nothing plays");
  const audio = new AudioContext();
  const analyser = audio.createAnalyser();
  audio.createMediaStreamSource(video.srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  for (;;) {
    analyser.getFloatTimeDomainData(samples);
    const loudness = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    if (loudness > threshold) {
      await audio.close();
      return loudness;
    }
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
}

Object.assign(globalThis, { listen });
