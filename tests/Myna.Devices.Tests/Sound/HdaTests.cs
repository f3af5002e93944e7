using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Devices.Sound;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Sound;

/// <summary>Intel HDA specification 1.0a: chapter 3 (registers), 4 (rings, streams), 7 (codec).</summary>
public sealed class HdaTests : IDisposable
{
    private const int GCTL = 8, WAKEEN = 0xc, STATESTS = 0xe, INTCTL = 0x20, INTSTS = 0x24, WALCLK = 0x30, CORBLBASE = 0x40, CORBWP = 0x48, CORBRP = 0x4a, CORBCTL = 0x4c, CORBSTS = 0x4d,
        RIRBLBASE = 0x50, RIRBWP = 0x58, RINTCNT = 0x5a, RIRBCTL = 0x5c, RIRBSTS = 0x5d, ICOI = 0x60, ICII = 0x64, ICS = 0x68, DPLBASE = 0x70;

    // The first output stream, and the first input stream.
    private const int Out = 0x80 + 4 * 0x20, In = 0x80, CTL = 0, STS = 3, LPIB = 4, CBL = 8, LVI = 0xc, FMT = 0x12, BDPL = 0x18;
    private const ulong Corb = 0x1000, Rirb = 0x2000, List = 0x3000, Positions = 0x4000, Data = 0x1_0000, Millisecond = 1_000_000;
    private const uint Dac = 2, OutPin = 3;

    private readonly ManualClock _clock = new();
    private readonly Ram _ram = new("ram", 1 << 22);
    private readonly AddressSpace _memory = new();
    private readonly Levels _lines = new();
    private readonly Messages _messages = new();
    private readonly Listener _listener = new();
    private readonly HdaController _hda;

    public HdaTests()
    {
        _memory.Map(0, _ram);
        _hda = new HdaController(_memory, _clock, _listener);
        new PciHost(_memory, [], Enumerable.Range(0, 4).Select(_lines.Line), _messages).Add(_hda, 1);
        _hda.WriteConfig(4, 2, 6);
    }

    public void Dispose() => _ram.Dispose();

    private bool Interrupt => Enumerable.Range(0, 4).Any(i => _lines[i]);

    private uint Get(int register, int size = 4)
    {
        Assert.True(_hda.ReadBar(0, (ulong)register, size, out ulong value));
        return (uint)value;
    }

    private void Set(int register, uint value, int size = 4) => Assert.True(_hda.WriteBar(0, (ulong)register, size, value));

    private void Start()
    {
        Set(GCTL, 1);
        Set(INTCTL, 0xc000_00ff);
    }

    private uint Ask(uint node, uint verb, uint payload = 0)
    {
        Set(ICOI, node << 20 | (verb < 16 ? verb << 16 : verb << 8) | payload);
        Set(ICS, 1, 2);
        Assert.Equal(2u, Get(ICS, 2) & 3);
        Set(ICS, 2, 2);
        return Get(ICII);
    }

    private uint Parameter(uint node, uint parameter) => Ask(node, 0xf00, parameter);

    /// <summary>Rings with so many responses for an interrupt.</summary>
    private void Rings(uint count = 1)
    {
        Start();
        Set(CORBLBASE, (uint)Corb);
        Set(RIRBLBASE, (uint)Rirb);
        Set(CORBRP, 0x8000, 2);
        Assert.Equal(0x8000u, Get(CORBRP, 2));
        Set(CORBRP, 0, 2);
        Assert.Equal(0u, Get(CORBRP, 2));
        Set(RIRBWP, 0x8000, 2);
        Set(RINTCNT, count, 2);
        Set(CORBCTL, 2, 1);
        Set(RIRBCTL, 3, 1);
    }

    private void Command(int slot, uint node, uint parameter) => _memory.Store(Corb + (ulong)slot * 4, 4, node << 20 | 0xf00 << 8 | parameter);

    private ulong Response(int slot)
    {
        _memory.Load(Rirb + (ulong)slot * 8, 8, out ulong value);
        return value;
    }

    /// <summary>A cyclic buffer of two halves, each of which interrupts.</summary>
    private void Prepare(int stream, ushort format, uint half, uint tag = 5)
    {
        Start();
        for (uint i = 0; i < 2; i++)
        {
            _memory.Store(List + i * 16, 8, Data + i * half);
            _memory.Store(List + i * 16 + 8, 4, half);
            _memory.Store(List + i * 16 + 12, 4, 1);
        }
        Set(stream + CTL, 1, 1);
        Assert.Equal(1u, Get(stream + CTL, 1));
        Set(stream + CTL, 0, 1);
        Assert.Equal(0u, Get(stream + CTL, 1));
        Set(stream + CBL, 2 * half);
        Set(stream + LVI, 1, 2);
        Set(stream + FMT, format, 2);
        Set(stream + BDPL, (uint)List);
        Set(stream + 2, tag << 4, 1);
        Set(DPLBASE, (uint)Positions | 1);
    }

    private void Run(int stream, bool on = true) => Set(stream + CTL, on ? 0x1eu : 0, 1);

    /// <summary>The codec plays the stream.</summary>
    private void Listen(ushort format, uint tag = 5)
    {
        Ask(Dac, 2, format);
        Ask(Dac, 0x706, tag << 4);
        Ask(Dac, 3, 0xb04a);
        Ask(OutPin, 0x707, 0x40);
    }

    private void Sine(uint bytes, double hertz, int rate)
    {
        byte[] data = new byte[bytes];
        for (int i = 0; i < bytes / 4; i++)
        {
            double angle = 2 * Math.PI * hertz * i / rate;
            BinaryPrimitives.WriteInt16LittleEndian(data.AsSpan(4 * i), (short)(20_000 * Math.Sin(angle)));
            BinaryPrimitives.WriteInt16LittleEndian(data.AsSpan(4 * i + 2), (short)(10_000 * Math.Sin(2 * angle)));
        }
        Assert.True(_memory.Write(Data, data));
    }

    [Theory]
    [InlineData(true, 0x293e_8086u)]
    [InlineData(false, 0x2668_8086u)]
    public void It_says_what_it_is(bool ich9, uint identity)
    {
        var hda = new HdaController(_memory, _clock, null, ich9);
        Assert.Equal(identity, hda.ReadConfig(0, 4));
        Assert.Equal(0x0403u, hda.ReadConfig(8, 4) >> 16);
        Assert.Equal(0x4401u, Get(0, 2));
        Assert.Equal(0x0100u, Get(2, 2));
        Assert.Equal(0x1d_003cu, Get(4));
        Assert.Equal(0x42u, Get(0x4e, 1));
        Assert.Equal(0x42u, Get(0x5e, 1));
    }

    [Fact]
    public void Out_of_reset_the_codec_reports_itself()
    {
        Assert.Equal(0u, Get(GCTL));
        Set(INTCTL, 0x8000_00ff);
        Assert.Equal(0u, Get(INTCTL));
        Set(WAKEEN, 1, 2);
        Set(GCTL, 1);
        Assert.Equal(1u, Get(GCTL));
        Assert.Equal(1u, Get(STATESTS, 2));
        Set(INTCTL, 0xc000_0000);
        Assert.True(Interrupt);
        Assert.Equal(0xc000_0000u, Get(INTSTS));
        Set(STATESTS, 1, 2);
        Assert.False(Interrupt);
        Set(GCTL, 0);
        Assert.Equal(0u, Get(INTCTL));
        Assert.Equal(0u, Get(STATESTS, 2));
    }

    [Fact]
    public void The_wall_clock_runs_at_24_MHz()
    {
        Start();
        uint before = Get(WALCLK);
        _clock.Advance(Millisecond);
        Assert.Equal(24_000u, Get(WALCLK) - before);
    }

    [Fact]
    public void A_flush_is_done_at_once()
    {
        Start();
        Set(GCTL, 3);
        Assert.Equal(2u, Get(0x10, 2));
        Set(0x10, 2, 2);
        Assert.Equal(0u, Get(0x10, 2));
    }

    [Fact]
    public void The_graph_leads_from_converters_to_pins()
    {
        Start();
        Assert.Equal(0x1af4u, Parameter(0, 0) >> 16);
        uint functions = Parameter(0, 4);
        Assert.Equal(0x1_0001u, functions);
        Assert.Equal(1u, Parameter(1, 5));
        uint widgets = Parameter(1, 4);
        Assert.Equal(0x2_0004u, widgets);
        uint[] types = [.. Enumerable.Range(2, 4).Select(n => Parameter((uint)n, 9) >> 20 & 15)];
        Assert.Equal([0u, 4, 1, 4], types);
        // The output pin's source is the converter, the input converter's the pin.
        Assert.Equal((1u, 2u), (Parameter(3, 0xe), Ask(3, 0xf02)));
        Assert.Equal((1u, 5u), (Parameter(4, 0xe), Ask(4, 0xf02)));
        Assert.Equal(0x10u, Parameter(3, 0xc));
        Assert.Equal(0x20u, Parameter(5, 0xc));
        Assert.Equal(0x0101_4010u, Ask(3, 0xf1c));
        Assert.Equal(8u, Ask(5, 0xf1c) >> 20 & 15);
        // 48 kHz with 16 bits.
        Assert.Equal(0x2_0040u, Parameter(2, 0xa) & 0x2_0040);
        Assert.Equal(1u, Parameter(2, 0xb));
    }

    [Fact]
    public void Registers_of_widgets_keep_what_is_set()
    {
        Start();
        Ask(Dac, 2, 0x4011);
        Assert.Equal(0x4011u, Ask(Dac, 0xa));
        Ask(Dac, 3, 0xa010);
        Ask(Dac, 3, 0x9085);
        Assert.Equal(0x10u, Ask(Dac, 0xb, 0xa000));
        Assert.Equal(0x85u, Ask(Dac, 0xb, 0x8000));
        Assert.Equal(0u, Ask(Dac, 0xb, 0x2000));
        Ask(1, 0x705, 3);
        Assert.Equal(0x33u, Ask(1, 0xf05));
        Ask(3, 0x71d, 0x55);
        Assert.Equal(0x0101_5510u, Ask(3, 0xf1c));
        // A reset of the function group keeps the defaults of pins.
        Ask(1, 0x7ff);
        Assert.Equal(0x0101_5510u, Ask(3, 0xf1c));
        Assert.Equal(0u, Ask(1, 0xf05));
    }

    [Fact]
    public void Nobody_answers_at_another_address()
    {
        Start();
        Set(ICOI, 1u << 28 | 0xf0000);
        Set(ICS, 1, 2);
        Assert.Equal(0u, Get(ICS, 2) & 2);
    }

    [Fact]
    public void Commands_are_taken_from_one_ring_and_answered_in_the_other()
    {
        Rings();
        Command(1, 0, 0);
        Set(CORBWP, 1, 2);
        Assert.Equal(1u, Get(CORBRP, 2));
        Assert.Equal(1u, Get(RIRBWP, 2));
        Assert.Equal(0x1af4_0022ul, Response(1));
        Assert.True(Interrupt);
        Assert.Equal(1u, Get(RIRBSTS, 1));
        Assert.Equal(0xc000_0000u, Get(INTSTS));
        Set(RIRBSTS, 1, 1);
        Assert.False(Interrupt);
    }

    [Fact]
    public void No_more_is_answered_than_software_has_asked_for_at_once()
    {
        Rings(count: 2);
        for (int i = 1; i <= 5; i++)
            Command(i, 0, 4);
        Set(CORBWP, 5, 2);
        Assert.Equal(2u, Get(RIRBWP, 2));
        Set(RIRBSTS, 1, 1);
        Assert.Equal(4u, Get(RIRBWP, 2));
        Assert.Equal(1u, Get(RIRBSTS, 1));
        Set(RIRBSTS, 1, 1);
        Assert.Equal(5u, Get(RIRBWP, 2));
        Assert.Equal(5u, Get(CORBRP, 2));
    }

    [Fact]
    public void Both_rings_turn()
    {
        Rings(count: 0);
        for (int i = 0; i < 256; i++)
            Command(i, 1, 4);
        Set(CORBWP, 255, 2);
        Set(RIRBSTS, 1, 1);
        Command(0, 0, 2);
        Set(CORBWP, 0, 2);
        Assert.Equal(0u, Get(CORBRP, 2));
        Assert.Equal(0u, Get(RIRBWP, 2));
        Assert.Equal(0x10_0101ul, Response(0));
    }

    [Fact]
    public void A_ring_outside_memory_is_an_error()
    {
        Rings();
        Set(CORBCTL, 0, 1);
        Set(CORBLBASE + 4, 0x7fff);
        Set(CORBCTL, 3, 1);
        Set(CORBWP, 1, 2);
        Assert.Equal(1u, Get(CORBSTS, 1));
        Assert.Equal(1u, Get(CORBCTL, 1));
        Assert.True(Interrupt);
    }

    [Fact]
    public void An_output_stream_follows_the_clock_and_is_heard()
    {
        const uint Half = 4 * 480;
        Prepare(Out, 0x0011, Half);
        Listen(0x0011);
        Sine(2 * Half, 1000, 48_000);
        Run(Out);
        _clock.Advance(5 * Millisecond);
        Assert.Equal(240u * 4, Get(Out + LPIB));
        Assert.False(Interrupt);
        // The first half has gone after 10 ms.
        _clock.Advance(5 * Millisecond);
        Assert.True(Interrupt);
        Assert.Equal(1u << 31 | 1 << 4, Get(INTSTS));
        Assert.Equal(4u, Get(Out + STS, 1) & 0x1c);
        Assert.Equal(0x20u, Get(Out + STS, 1) & 0x20);
        Set(Out + STS, 4, 1);
        Assert.False(Interrupt);
        Assert.Equal(Half, Get(Out + LPIB));
        Assert.Equal(Half, Get(0x2084 + 4 * 0x20));
        _memory.Load(Positions + 4 * 8, 4, out ulong position);
        Assert.Equal(Half, position);
        _clock.Advance(90 * Millisecond);
        Run(Out, false);
        Assert.InRange(_listener.Left.Count, 4799, 4801);
        Assert.InRange(Listener.Frequency(_listener.Left[1..]), 980, 1010);
        Assert.InRange(Listener.Frequency(_listener.Right[1..]), 1960, 2020);
        Assert.InRange(_listener.Left.Max(), 19_900, 20_000);
        Assert.InRange(_listener.Right.Max(), 9_900, 10_000);
        Assert.Equal(1, _listener.Stops);
        uint stopped = Get(Out + LPIB);
        _clock.Advance(50 * Millisecond);
        Assert.Equal(stopped, Get(Out + LPIB));
    }

    [Fact]
    public void A_message_is_sent_for_each_buffer()
    {
        int capability = (int)_hda.ReadConfig(0x34, 1);
        Assert.Equal(5u, _hda.ReadConfig(capability, 1));
        _hda.WriteConfig(capability + 4, 4, 0xfee0_0000);
        _hda.WriteConfig(capability + 12, 2, 0x41);
        _hda.WriteConfig(capability + 2, 2, 1);
        Prepare(Out, 0x0011, 4 * 480);
        Run(Out);
        for (int i = 1; i <= 3; i++)
        {
            _clock.Advance(10 * Millisecond);
            Assert.Equal(i, _messages.Sent.Count);
            Set(Out + STS, 4, 1);
        }
        Assert.Equal((0xfee0_0000ul, 0x41u), _messages.Sent[0]);
        Assert.False(Interrupt);
    }

    [Theory]
    [InlineData(0x4011, 44_100)]
    [InlineData(0x0811, 96_000)]
    [InlineData(0x0511, 8_000)]
    [InlineData(0x4111, 22_050)]
    public void Other_rates_are_heard_at_their_pitch(ushort format, int rate)
    {
        uint half = (uint)(4 * rate / 10);
        Prepare(Out, format, half);
        Listen(format);
        Sine(2 * half, 500, rate);
        Run(Out);
        for (int i = 0; i < 100; i++)
            _clock.Advance(10 * Millisecond);
        Run(Out, false);
        Assert.InRange(_listener.Left.Count, 47_980, 48_010);
        Assert.InRange(Listener.Frequency(_listener.Left), 498, 502);
    }

    [Fact]
    public void Wide_samples_are_cut_to_sixteen_bits()
    {
        Prepare(Out, 0x0041, 8 * 480);
        Listen(0x0041);
        for (ulong i = 0; i < 960; i++)
        {
            _memory.Store(Data + i * 8, 4, 0x1234_5678);
            _memory.Store(Data + i * 8 + 4, 4, 0x8000_0000);
        }
        Run(Out);
        _clock.Advance(10 * Millisecond);
        Assert.Equal(0x1234, _listener.Left[^1]);
        Assert.Equal(short.MinValue, _listener.Right[^1]);
    }

    [Fact]
    public void Gain_mute_and_the_jack_decide_how_loud_it_is()
    {
        Prepare(Out, 0x0011, 4 * 4800);
        Listen(0x0011);
        for (ulong i = 0; i < 9600; i++)
            _memory.Store(Data + i * 4, 4, 0x4000_4000);
        Run(Out);
        // Left 20 dB less, right muted.
        Ask(Dac, 3, 0xa04a - 20);
        Ask(Dac, 3, 0x90ca);
        _clock.Advance(10 * Millisecond);
        Assert.InRange(_listener.Left[^1], 0x4000 / 10 - 2, 0x4000 / 10 + 2);
        Assert.Equal(0, _listener.Right[^1]);
        Ask(Dac, 3, 0xb04a);
        _clock.Advance(10 * Millisecond);
        Assert.Equal(0x4000, _listener.Right[^1]);
        Ask(OutPin, 0x707, 0);
        _clock.Advance(10 * Millisecond);
        Assert.Equal(0, _listener.Left[^1]);
        // Another stream's tag: nobody listens.
        int heard = _listener.Left.Count;
        Ask(Dac, 0x706, 0x60);
        _clock.Advance(10 * Millisecond);
        Assert.Equal(heard, _listener.Left.Count);
    }

    [Fact]
    public void What_is_recorded_is_silence()
    {
        Prepare(In, 0x0011, 4 * 480);
        Assert.True(_memory.Write(Data, Enumerable.Repeat((byte)0xaa, 8 * 480).ToArray()));
        Run(In);
        _clock.Advance(10 * Millisecond);
        byte[] data = new byte[8 * 480];
        Assert.True(_memory.Read(Data, data));
        Assert.All(data[..(4 * 480)], b => Assert.Equal(0, b));
        Assert.All(data[(4 * 480)..], b => Assert.Equal(0xaa, b));
        Assert.True(Interrupt);
        Assert.Equal(1u << 31 | 1, Get(INTSTS));
    }

    [Fact]
    public void A_list_that_is_none_stops_the_stream_with_an_error()
    {
        Prepare(Out, 0x0011, 4 * 480);
        Set(Out + BDPL + 4, 0x7fff);
        Run(Out);
        _clock.Advance(10 * Millisecond);
        Assert.Equal(0x10u, Get(Out + STS, 1));
        Assert.Equal(0u, Get(Out + CTL, 1) & 2);
        Assert.True(Interrupt);
        // Empty buffers without end are as bad.
        Prepare(Out, 0x0011, 0);
        Set(Out + BDPL + 4, 0);
        Run(Out);
        _clock.Advance(10 * Millisecond);
        Assert.Equal(0x10u, Get(Out + STS, 1) & 0x10);
    }

    [Fact]
    public void A_stream_goes_on_where_it_was_stopped_and_begins_anew_after_its_reset()
    {
        Prepare(Out, 0x0011, 4 * 480);
        Run(Out);
        _clock.Advance(5 * Millisecond);
        Run(Out, false);
        _clock.Advance(5 * Millisecond);
        Run(Out);
        _clock.Advance(2 * Millisecond);
        Assert.Equal(7u * 48 * 4, Get(Out + LPIB));
        Set(Out + CTL, 1, 1);
        Assert.Equal(0u, Get(Out + LPIB));
        Assert.Equal(0u, Get(Out + CBL));
        Set(Out + CTL, 0, 1);
        Assert.Equal(0u, Get(Out + CTL) & 0xff_001f);
    }
}
