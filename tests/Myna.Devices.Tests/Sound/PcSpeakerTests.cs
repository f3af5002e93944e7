using Myna.Devices.Ports;
using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Sound;

/// <summary>Port 61h and the 8254's counter 2 (ICH9 datasheet, section 13.7.1; 8254 datasheet, mode 3).</summary>
public sealed class PcSpeakerTests
{
    private const ulong Second = 1_000_000_000;

    private readonly ManualClock _clock = new();
    private readonly Listener _listener = new();
    private readonly I8254 _pit;
    private readonly SystemControlPortB _port;

    public PcSpeakerTests()
    {
        _pit = new I8254(_clock, default);
        _port = new SystemControlPortB(_pit, _clock, _listener);
        _clock.Advance(Second);
    }

    private void Tone(int divisor)
    {
        _pit.Ports.Out(3, 0xb6);
        _pit.Ports.Out(2, divisor & 0xff);
        _pit.Ports.Out(2, divisor >> 8);
    }

    [Fact]
    public void A_tone_has_the_counters_frequency_for_as_long_as_it_is_on()
    {
        Tone(2712);
        _port.Ports.Out(0, 3);
        _clock.Advance(Second);
        _port.Ports.Out(0, 0);
        _clock.Advance(Second);
        Assert.InRange(_listener.Left.Count, 47_900, 51_500);
        Assert.Equal(_listener.Left, _listener.Right);
        Assert.InRange(Listener.Frequency(_listener.Left[..48_000]), 439, 441);
        Assert.InRange(_listener.Left.Max(), 4000, 16_000);
        Assert.Equal(-_listener.Left.Max(), _listener.Left.Min());
        Assert.Equal(1, _listener.Stops);
        Assert.Equal(48_000ul, _listener.Starts[0]);
    }

    [Fact]
    public void Another_count_is_another_tone_from_then_on()
    {
        Tone(1193);
        _port.Ports.Out(0, 3);
        _clock.Advance(Second / 2);
        Tone(2386);
        _clock.Advance(Second / 2);
        _port.Ports.Out(0, 0);
        Assert.InRange(Listener.Frequency(_listener.Left[..24_000]), 995, 1005);
        Assert.InRange(Listener.Frequency(_listener.Left[24_000..48_000]), 495, 505);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Without_the_data_bit_nothing_is_heard(int value)
    {
        Tone(2712);
        _port.Ports.Out(0, value);
        _clock.Advance(Second);
        Assert.Empty(_listener.Left);
    }

    [Fact]
    public void Without_the_gate_a_membrane_that_stays_is_soon_silent()
    {
        Tone(2712);
        _port.Ports.Out(0, 2);
        _clock.Advance(10 * Second);
        Assert.InRange(_listener.Left.Count, 0, 5000);
    }

    [Fact]
    public void A_program_may_move_the_membrane_itself()
    {
        // The output is high as long as the gate is closed.
        Tone(2712);
        for (int i = 0; i < 1000; i++)
        {
            _port.Ports.Out(0, (i & 1) * 2);
            _clock.Advance(Second / 2000);
        }
        int rises = 0;
        for (int i = 1; i < _listener.Left.Count; i++)
            rises += _listener.Left[i - 1] <= 0 && _listener.Left[i] > 0 ? 1 : 0;
        Assert.InRange(rises, 495, 501);
    }

    [Fact]
    public void With_a_low_output_the_data_bit_moves_nothing()
    {
        _pit.Ports.Out(3, 0xb0);
        for (int i = 0; i < 100; i++)
        {
            _port.Ports.Out(0, (i & 1) * 2);
            _clock.Advance(Second / 2000);
        }
        Assert.All(_listener.Left, s => Assert.Equal(0, s));
    }
}
