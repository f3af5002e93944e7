using Myna.Machines;

namespace Myna.Cli;

/// <summary>--accel ENGINE[,irqchip=WHERE].</summary>
public sealed record AccelOption(Accel Accel, Irqchip Irqchip)
{
    /// <exception cref="FormatException">The message is for the user.</exception>
    public static AccelOption Parse(string text)
    {
        string[] parts = text.Split(',');
        Accel accel = parts[0] switch
        {
            "jit" => Accel.Jit,
            "interp" => Accel.Interp,
            "kvm" => Accel.Kvm,
            "auto" => Accel.Auto,
            "lockstep" => Accel.Lockstep,
            _ => throw new FormatException($"'{parts[0]}' is unknown; use auto, kvm, jit, interp or lockstep"),
        };
        Irqchip irqchip = Irqchip.Auto;
        foreach (string part in parts[1..])
        {
            if (accel is not (Accel.Kvm or Accel.Auto))
                throw new FormatException($"'{part}' is for kvm alone");
            irqchip = part switch
            {
                "irqchip=split" => Irqchip.Split,
                "irqchip=full" or "irqchip=on" => Irqchip.Full,
                "irqchip=off" => Irqchip.Off,
                _ => throw new FormatException($"'{part}' is unknown; after kvm there can be irqchip=split, irqchip=full or irqchip=off"),
            };
        }
        return new AccelOption(accel, irqchip);
    }
}
