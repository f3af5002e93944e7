using Myna.Devices.Timers;
using Myna.Hardware.Backends;
using Myna.Hardware.Time;

namespace Myna.Devices.Sound;

/// <summary>
/// The speaker of a PC: it follows OUT of the 8254's counter 2 while port 61h switches it on. What it plays follows from these two, so
/// that it has no state to save.
/// </summary>
internal sealed class PcSpeaker
{
    private const int Loud = 8000, Parts = 8, Chunk = 512;

    // Nanoseconds: how often a tone is heard of, and for how long a still membrane may be part of a sound.
    private const ulong Period = 20_000_000, Rest = 50_000_000;

    private readonly Lock _lock = new();
    private readonly I8254 _pit;
    private readonly Clock _clock;
    private readonly ClockTimer _timer;
    private readonly IAudioVoice _voice;
    private readonly byte[] _high = new byte[Chunk];
    private readonly short[] _samples = new short[2 * Chunk];
    private ulong _frame, _changed;
    private bool _on, _playing;

    public PcSpeaker(I8254 pit, Clock clock, IAudioVoice voice)
    {
        (_pit, _clock, _voice) = (pit, clock, voice);
        _timer = clock.CreateTimer(() => Render(changes: false));
        pit.SpeakerChanging = () => Render(changes: true);
    }

    /// <summary>Port 61h switches it on or off.</summary>
    public void Switch(bool on)
    {
        lock (_lock)
        {
            if (on == _on)
                return;
        }
        Render(changes: true);
        lock (_lock)
        {
            _on = on;
            Follow();
        }
    }

    /// <summary>Plays until now as things have been.</summary>
    /// <param name="changes">Something is about to change.</param>
    private void Render(bool changes)
    {
        lock (_lock)
        {
            ulong now = _clock.Now;
            if (changes)
                _changed = now;
            if (_playing)
                Play(Clock.ToTicks(now, IAudioBackend.Rate));
            Follow();
        }
    }

    private void Follow()
    {
        bool playing = (_on && _pit.IsTone) || (_changed != 0 && _clock.Now - _changed < Rest && (_on || _playing));
        if (playing && !_playing)
            _frame = Clock.ToTicks(_clock.Now, IAudioBackend.Rate);
        if (!playing && _playing)
            _voice.Stop();
        _playing = playing;
        if (playing)
            _timer.Arm(_clock.Now + Period);
        else
            _timer.Cancel();
    }

    private void Play(ulong end)
    {
        // The machine stood still: so did the membrane.
        if (end - Math.Min(end, _frame) > IAudioBackend.Rate)
            _frame = end - IAudioBackend.Rate;
        // A tone swings about the middle; a membrane that a program moves is at rest while the output is low.
        (int scale, int low) = _on && _pit.IsTone ? (2, Parts) : (1, 0);
        while (_frame < end)
        {
            int n = (int)Math.Min(end - _frame, Chunk);
            if (_on)
                _pit.MeasureOut2(_frame, IAudioBackend.Rate, _high.AsSpan(0, n));
            for (int i = 0; i < n; i++)
                _samples[2 * i] = _samples[2 * i + 1] = (short)(_on ? (scale * _high[i] - low) * Loud / Parts : 0);
            _voice.Play(_frame, _samples.AsSpan(0, 2 * n));
            _frame += (uint)n;
        }
    }
}
