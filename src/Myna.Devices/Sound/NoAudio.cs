using Myna.Hardware.Backends;

namespace Myna.Devices.Sound;

/// <summary>Nobody listens.</summary>
internal sealed class NoAudio : IAudioBackend, IAudioVoice
{
    public static NoAudio Instance { get; } = new();

    public IAudioVoice Open() => this;

    public void Play(ulong frame, ReadOnlySpan<short> samples)
    {
    }

    public void Stop()
    {
    }
}
