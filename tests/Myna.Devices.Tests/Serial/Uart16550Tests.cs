using Myna.Devices.Serial;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Serial;

/// <summary>National Semiconductor PC16550D data sheet, section 8.</summary>
public sealed class Uart16550Tests
{
    private const ulong RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7;
    private readonly ManualClock _clock = new();
    private readonly Levels _irq = new();
    private readonly Terminal _terminal = new();
    private readonly Uart16550 _uart;

    public Uart16550Tests() => _uart = new Uart16550(_clock, 3_686_400, _irq.Line(0), _terminal);

    private byte Get(ulong register) => (byte)_uart.Load(register, 1);
    private void Set(ulong register, byte value) => _uart.Store(register, value, 1);

    [Fact]
    public void Output_is_gathered_and_arrives_in_order_soon()
    {
        foreach (char c in "hello, world")
            Set(THR, (byte)c);
        Assert.Equal(0, _terminal.Writes);
        _clock.Advance(1_000_000);
        Assert.Equal("hello, world", _terminal.Text);
        Assert.Equal(1, _terminal.Writes);
    }

    [Fact]
    public void More_output_than_the_buffer_holds_is_not_lost()
    {
        string text = string.Concat(Enumerable.Range(0, 5000).Select(i => (char)('a' + i % 26)));
        foreach (char c in text)
            Set(THR, (byte)c);
        _uart.ConsoleWrite("END"u8);
        _uart.Flush();
        Assert.Equal(text + "END", _terminal.Text);
        Assert.InRange(_terminal.Writes, 2, 20);
    }

    [Fact]
    public void The_transmitter_is_always_empty()
    {
        Set(THR, 65);
        Assert.Equal(0x60, Get(LSR));
    }

    [Fact]
    public void Thre_interrupts_when_enabled_and_again_after_each_byte_and_reading_iir_clears_it()
    {
        Assert.Equal(1, Get(IIR));
        Set(IER, 2);
        Assert.True(_irq[0]);
        Assert.Equal(2, Get(IIR));
        Assert.False(_irq[0]);
        Assert.Equal(1, Get(IIR));
        Set(THR, 65);
        Assert.True(_irq[0]);
        Assert.Equal(2, Get(IIR));
    }

    [Fact]
    public void A_received_byte_interrupts_until_read_without_fifos()
    {
        Set(IER, 1);
        Assert.Equal(1, _terminal.Capacity);
        _terminal.Type("x");
        Assert.Equal(0, _terminal.Capacity);
        Assert.True(_irq[0]);
        Assert.Equal(4, Get(IIR));
        Assert.Equal(0x61, Get(LSR));
        Assert.Equal((byte)'x', Get(RBR));
        Assert.False(_irq[0]);
        Assert.Equal(0x60, Get(LSR));
        Assert.Equal(1, _terminal.ReadyCalls);
    }

    [Theory]
    [InlineData(0x01, 1)]
    [InlineData(0x41, 4)]
    [InlineData(0x81, 8)]
    [InlineData(0xc1, 14)]
    public void The_fifo_interrupts_at_its_trigger_level(byte fcr, int trigger)
    {
        Set(FCR, fcr);
        Set(IER, 1);
        Assert.Equal(16, _terminal.Capacity);
        _terminal.Type(new string('x', trigger - 1));
        Assert.False(_irq[0]);
        _terminal.Type("y");
        Assert.True(_irq[0]);
        Assert.Equal(0xc4, Get(IIR));
        Get(RBR);
        Assert.False(_irq[0]);
    }

    [Fact]
    public void Fewer_bytes_than_the_trigger_time_out_after_four_characters()
    {
        Set(LCR, 0x83);
        Set(DLL, 2); // 115,200 baud
        Set(LCR, 0x03);
        Set(FCR, 0xc1);
        Set(IER, 1);
        _terminal.Type("ab");
        _clock.Advance(340_000);
        Assert.False(_irq[0]);
        _clock.Advance(10_000);
        Assert.True(_irq[0]);
        Assert.Equal(0xcc, Get(IIR));
        Assert.Equal((byte)'a', Get(RBR));
        Assert.False(_irq[0]);
        _clock.Advance(350_000);
        Assert.Equal(0xcc, Get(IIR));
        Assert.Equal((byte)'b', Get(RBR));
        _clock.Advance(350_000);
        Assert.Equal(0xc1, Get(IIR));
    }

    [Fact]
    public void Interrupts_are_identified_in_their_order_of_priority()
    {
        Set(FCR, 1);
        Set(MCR, 0x10); // loopback: modem lines fall
        Get(MSR);
        Set(MCR, 0x12); // RTS to CTS: a modem change
        for (int i = 0; i < 17; i++)
            Set(THR, (byte)i); // the 17th overruns
        Set(IER, 0x0f);
        Assert.Equal(0xc6, Get(IIR));
        Assert.Equal(0x63, Get(LSR));
        Assert.Equal(0xc4, Get(IIR));
        for (int i = 0; i < 16; i++)
            Assert.Equal(i, Get(RBR));
        Assert.Equal(0xc2, Get(IIR));
        Assert.Equal(0xc0, Get(IIR));
        Assert.Equal(0x11, Get(MSR));
        Assert.Equal(0xc1, Get(IIR));
        Assert.False(_irq[0]);
    }

    [Fact]
    public void Loopback_connects_the_modem_outputs_to_the_inputs_and_sends_nothing()
    {
        Assert.Equal(0xb0, Get(MSR));
        Set(MCR, 0x1f);
        Assert.Equal(0xf0, Get(MSR) & 0xf0);
        Set(MCR, 0x1a);
        Assert.Equal(0x90, Get(MSR) & 0xf0);
        Set(THR, 0x5a);
        Assert.Equal(0x5a, Get(RBR));
        Assert.Equal(0, _terminal.Capacity);
        _uart.Flush();
        Assert.Empty(_terminal.Output);
    }

    [Fact]
    public void The_divisor_latch_lies_behind_dlab_and_the_scratch_register_keeps_its_value()
    {
        Set(LCR, 0x80);
        Set(DLL, 0x12);
        Set(DLM, 0x34);
        Assert.Equal((0x12, 0x34), (Get(DLL), Get(DLM)));
        Set(LCR, 0);
        Assert.Equal(0, Get(IER));
        Set(SCR, 0xa5);
        Assert.Equal(0xa5, Get(SCR));
    }

    [Fact]
    public void Clearing_the_receive_fifo_drops_its_bytes_and_asks_for_more()
    {
        Set(FCR, 1);
        _terminal.Type("abc");
        int before = _terminal.ReadyCalls;
        Set(FCR, 3);
        Assert.Equal(0x60, Get(LSR));
        Assert.Equal(before + 1, _terminal.ReadyCalls);
        Assert.Equal(16, _terminal.Capacity);
    }

    [Fact]
    public void Only_implemented_bits_of_ier_and_mcr_stick()
    {
        Set(IER, 0xff);
        Set(MCR, 0xff);
        Assert.Equal((0x0f, 0x1f), (Get(IER), Get(MCR)));
    }
}
