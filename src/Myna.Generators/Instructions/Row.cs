using System;
using System.Collections.Generic;
using System.Linq;

namespace Myna.Generators.Instructions;

/// <summary>A part of an encoding: bits [Low, Low+Width) of the instruction are bits [To, To+Width) of a field.</summary>
internal readonly record struct Piece(string Field, int Low, int Width, int To);

/// <summary>A field must (not) have one of these values: an immediate not zero, rm not reserved.</summary>
internal readonly record struct Exclusion(string Field, int Value);

/// <summary>One parsed instruction attribute.</summary>
internal sealed record Row(
    string Method, string Class, string Extension, string Pattern, string Syntax,
    uint Mask, uint Match, int Length, bool SignedImmediate, Piece[] Pieces, Exclusion[] Exclusions, (string Field, int Value)[] Implied)
{
    private const string Immediates = "imm,uimm,nzimm,nzuimm,shamt";

    public int FixedBits => Enumerable.Range(0, 32).Count(i => (Mask >> i & 1) != 0);

    /// <summary>Parses a pattern; the notation is documented at the attribute.</summary>
    /// <exception cref="FormatException">The pattern does not say 16 or 32 bits in the known notation.</exception>
    public static Row Parse(string method, string @class, string extension, string pattern, string syntax, string implied)
    {
        string[] tokens = pattern.Split([' '], StringSplitOptions.RemoveEmptyEntries);
        int bits = tokens.Sum(Width);
        if (bits != 16 && bits != 32)
            throw new FormatException($"has {bits} bits");
        var pieces = new List<Piece>();
        var exclusions = new List<Exclusion>();
        uint mask = 0, match = 0;
        bool signed = false;
        int high = bits;
        foreach (string token in tokens)
        {
            int width = Width(token);
            high -= width;
            if (token[0] is '0' or '1')
            {
                mask |= (uint)((1UL << width) - 1) << high;
                match |= Convert.ToUInt32(token, 2) << high;
                continue;
            }
            string[] split = token.Split(["!="], StringSplitOptions.None);
            string name = split[0];
            int bracket = name.IndexOf('[');
            if (bracket >= 0)
            {
                string kind = name.Substring(0, bracket);
                signed |= kind is "imm" or "nzimm";
                if (kind.StartsWith("nz", StringComparison.Ordinal) && !exclusions.Contains(new Exclusion("imm", 0)))
                    exclusions.Add(new Exclusion("imm", 0));
                int from = high + width;
                foreach ((int top, int bottom) in Ranges(name))
                {
                    from -= top - bottom + 1;
                    pieces.Add(new Piece("imm", from, top - bottom + 1, bottom));
                }
                continue;
            }
            switch (name)
            {
                case "csr": pieces.Add(new Piece("imm", high, 12, 0)); break;
                case "fm": pieces.Add(new Piece("imm", high, 4, 8)); break;
                case "pred": pieces.Add(new Piece("imm", high, 4, 4)); break;
                case "succ": pieces.Add(new Piece("imm", high, 4, 0)); break;
                case "zimm": pieces.Add(new Piece("rs1", high, 5, 0)); break;
                case "aq": pieces.Add(new Piece("rm", high, 1, 1)); break;
                case "rl": pieces.Add(new Piece("rm", high, 1, 0)); break;
                case "rm":
                    pieces.Add(new Piece("rm", high, 3, 0));
                    exclusions.Add(new Exclusion("rm", 5));
                    exclusions.Add(new Exclusion("rm", 6));
                    break;
                default:
                    foreach (string register in name.Split('/'))
                    {
                        pieces.Add(new Piece(register, high, width, 0));
                        if (split.Length == 2)
                            exclusions.AddRange(split[1].Split(',').Select(v => new Exclusion(register, int.Parse(v))));
                    }
                    break;
            }
        }
        var fields = implied.Split([' '], StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=')).Select(p => (p[0], int.Parse(p[1]))).ToArray();
        return new Row(method, @class, extension, pattern, syntax, mask, match, bits / 8, signed,
            [.. pieces], [.. exclusions], fields);
    }

    private static int Width(string token)
    {
        if (token[0] is '0' or '1')
            return token.Length;
        string name = token.Split(["!="], StringSplitOptions.None)[0];
        int bracket = name.IndexOf('[');
        if (bracket >= 0)
        {
            if (!Immediates.Split(',').Contains(name.Substring(0, bracket)))
                throw new FormatException($"has an unknown field {name}");
            return Ranges(name).Sum(r => r.Top - r.Bottom + 1);
        }
        return name switch
        {
            "csr" => 12,
            "fm" or "pred" or "succ" => 4,
            "rm" => 3,
            "aq" or "rl" => 1,
            "rd" or "rs1" or "rs2" or "rs3" or "rd/rs1" or "zimm" => 5,
            "rd'" or "rs1'" or "rs2'" or "rd'/rs1'" => 3,
            _ => throw new FormatException($"has an unknown field {name}"),
        };
    }

    private static IEnumerable<(int Top, int Bottom)> Ranges(string name)
    {
        int open = name.IndexOf('[');
        foreach (string range in name.Substring(open + 1, name.IndexOf(']') - open - 1).Split('|'))
        {
            string[] ends = range.Split(':');
            yield return (int.Parse(ends[0]), int.Parse(ends[ends.Length - 1]));
        }
    }
}
