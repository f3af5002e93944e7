using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>Intel 8259A datasheet (order 231468).</summary>
public sealed class I8259Tests
{
    private readonly Levels _cpu = new();
    private readonly I8259Pair _pic;

    public I8259Tests()
    {
        _pic = new I8259Pair(_cpu.Line(0));
        Initialize(0x11, 1);
    }

    private bool Int => _cpu[0];

    private void Initialize(int icw1, int icw4)
    {
        foreach ((var chip, int vector, int icw3) in new[] { (_pic.Master, 0x20, 4), (_pic.Slave, 0x28, 2) })
        {
            chip.Out(0, icw1);
            chip.Out(1, vector);
            chip.Out(1, icw3);
            if ((icw1 & 1) != 0)
                chip.Out(1, icw4);
        }
    }

    private void Pulse(int irq)
    {
        _pic.SetLevel(irq, true);
        _pic.SetLevel(irq, false);
    }

    private void Eoi(int irq)
    {
        if (irq >= 8)
            _pic.Slave.Out(0, 0x20);
        _pic.Master.Out(0, 0x20);
    }

    [Fact]
    public void Initialization_clears_the_mask_and_sets_the_vectors()
    {
        Assert.Equal(0, _pic.Master.In(1));
        Pulse(3);
        Assert.True(Int);
        Assert.Equal(0x23, _pic.Acknowledge());
        Assert.False(Int);
        Pulse(12);
        Eoi(3);
        Assert.Equal(0x2c, _pic.Acknowledge());
    }

    [Fact]
    public void Without_ICW4_the_third_word_is_the_last()
    {
        Initialize(0x10, 0);
        _pic.Master.Out(1, 0x5a);
        Assert.Equal(0x5a, _pic.Master.In(1));
    }

    [Fact]
    public void A_single_controller_has_no_ICW3()
    {
        _pic.Master.Out(0, 0x13);
        _pic.Master.Out(1, 0x40);
        _pic.Master.Out(1, 1);
        _pic.Master.Out(1, 0xfe);
        Assert.Equal(0xfe, _pic.Master.In(1));
        Pulse(0);
        Assert.Equal(0x40, _pic.Acknowledge());
    }

    [Fact]
    public void Lower_numbers_come_first_and_preempt()
    {
        Pulse(5);
        Pulse(1);
        Assert.Equal(0x21, _pic.Acknowledge());
        Assert.False(Int);
        Pulse(0);
        Assert.True(Int);
        Assert.Equal(0x20, _pic.Acknowledge());
        Pulse(6);
        Eoi(0);
        Assert.False(Int);
        Eoi(1);
        Assert.Equal(0x25, _pic.Acknowledge());
    }

    [Fact]
    public void OCW3_selects_request_or_service_register()
    {
        Pulse(4);
        Pulse(7);
        _pic.Acknowledge();
        Assert.Equal(0x80, _pic.Master.In(0));
        _pic.Master.Out(0, 0x0b);
        Assert.Equal(0x10, _pic.Master.In(0));
        Assert.Equal(0x10, _pic.Master.In(0));
        _pic.Master.Out(0, 0x0a);
        Assert.Equal(0x80, _pic.Master.In(0));
    }

    [Fact]
    public void A_masked_request_waits()
    {
        _pic.Master.Out(1, 1 << 6);
        Pulse(6);
        Assert.False(Int);
        _pic.Master.Out(1, 0);
        Assert.True(Int);
    }

    [Fact]
    public void An_edge_counts_once_and_a_level_as_long_as_it_lasts()
    {
        _pic.SetLevel(5, true);
        _pic.Acknowledge();
        Eoi(5);
        Assert.False(Int);
        _pic.Elcr.Out(0, 1 << 6);
        _pic.SetLevel(6, true);
        Assert.Equal(0x26, _pic.Acknowledge());
        Assert.False(Int);
        Eoi(6);
        Assert.True(Int);
        _pic.SetLevel(6, false);
        Assert.False(Int);
    }

    [Fact]
    public void Only_some_inputs_can_be_levels()
    {
        _pic.Elcr.Store(0, 0xffff, 2);
        Assert.Equal(0xdef8u, _pic.Elcr.Load(0, 2));
    }

    [Fact]
    public void A_request_that_has_gone_is_the_spurious_IR7_without_a_service_bit()
    {
        _pic.Elcr.Out(0, 1 << 3);
        _pic.SetLevel(3, true);
        _pic.SetLevel(3, false);
        Assert.Equal(0x27, _pic.Acknowledge());
        _pic.Master.Out(0, 0x0b);
        Assert.Equal(0, _pic.Master.In(0));
    }

    [Fact]
    public void A_slave_interrupt_is_in_service_in_both()
    {
        Pulse(8);
        _pic.Master.Out(0, 0x0a);
        Assert.Equal(4, _pic.Master.In(0));
        Assert.Equal(0x28, _pic.Acknowledge());
        _pic.Master.Out(0, 0x0b);
        _pic.Slave.Out(0, 0x0b);
        Assert.Equal((4, 1), (_pic.Master.In(0), _pic.Slave.In(0)));
        _pic.Slave.Out(0, 0x60);
        _pic.Master.Out(0, 0x62);
        Assert.Equal((0, 0), (_pic.Master.In(0), _pic.Slave.In(0)));
    }

    [Fact]
    public void In_special_fully_nested_mode_the_slaves_higher_levels_get_through()
    {
        Pulse(12);
        _pic.Acknowledge();
        Pulse(9);
        Assert.False(Int);
        Eoi(12);
        Assert.Equal(0x29, _pic.Acknowledge());

        Initialize(0x11, 0x11);
        Pulse(12);
        _pic.Acknowledge();
        Pulse(9);
        Assert.True(Int);
        Assert.Equal(0x29, _pic.Acknowledge());
        Pulse(10);
        Assert.False(Int);
    }

    [Fact]
    public void Automatic_end_of_interrupt_leaves_nothing_in_service()
    {
        Initialize(0x11, 3);
        Pulse(2 + 2);
        Assert.Equal(0x24, _pic.Acknowledge());
        _pic.Master.Out(0, 0x0b);
        Assert.Equal(0, _pic.Master.In(0));
        Pulse(5);
        Assert.True(Int);
    }

    [Fact]
    public void Automatic_rotation_makes_the_served_level_the_lowest()
    {
        Pulse(4);
        _pic.Acknowledge();
        _pic.Master.Out(0, 0xa0); // rotate on non-specific EOI
        Pulse(4);
        Pulse(6);
        Assert.Equal(0x26, _pic.Acknowledge());

        Initialize(0x11, 3);
        _pic.Master.Out(0, 0x80); // rotate in automatic EOI mode
        Pulse(0);
        _pic.Acknowledge();
        Pulse(0);
        Pulse(7);
        Assert.Equal(0x27, _pic.Acknowledge());
    }

    [Fact]
    public void Specific_rotation_sets_the_lowest_level()
    {
        _pic.Master.Out(0, 0xc5); // set priority: IR5 lowest, IR6 highest
        Pulse(0);
        Pulse(6);
        Assert.Equal(0x26, _pic.Acknowledge());
        _pic.Master.Out(0, 0xe6); // rotate on specific EOI
        Pulse(6);
        Assert.Equal(0x20, _pic.Acknowledge());
    }

    [Fact]
    public void In_special_mask_mode_a_masked_level_in_service_blocks_nothing()
    {
        Pulse(1);
        _pic.Acknowledge();
        Pulse(5);
        Assert.False(Int);
        _pic.Master.Out(1, 1 << 1);
        Assert.False(Int);
        _pic.Master.Out(0, 0x68);
        Assert.True(Int);
        Assert.Equal(0x25, _pic.Acknowledge());
        // A non-specific EOI does not end the masked one.
        _pic.Master.Out(0, 0x20);
        _pic.Master.Out(0, 0x0b);
        Assert.Equal(2, _pic.Master.In(0));
        _pic.Master.Out(0, 0x48);
        Pulse(6);
        Assert.False(Int);
    }

    [Fact]
    public void A_poll_acknowledges()
    {
        _pic.Master.Out(0, 0x0c);
        Assert.Equal(0, _pic.Master.In(0));
        Pulse(3);
        _pic.Master.Out(0, 0x0c);
        Assert.Equal(0x83, _pic.Master.In(1));
        Assert.False(Int);
        _pic.Master.Out(0, 0x0b);
        Assert.Equal(8, _pic.Master.In(0));
    }

    [Fact]
    public void IRQ_2_is_the_cascade_and_has_no_wire()
    {
        _pic.SetLevel(2, true);
        Assert.False(Int);
    }

    [Fact]
    public void ICW1_forgets_edges_but_not_levels()
    {
        _pic.SetLevel(5, true);
        _pic.Elcr.Out(0, 1 << 6);
        _pic.SetLevel(6, true);
        Initialize(0x11, 1);
        _pic.Master.Out(0, 0x0a);
        Assert.Equal(1 << 6, _pic.Master.In(0));
    }
}
